// What a report does beyond being read: tables sort, pictures tell the numbers under the cursor, maps over a photograph
// fade. Without it a page shows the same.

import { sortable } from "./sort.js";
import { fadable } from "./fade.js";
import { look } from "./read.js";

// Flags are held together with their values; no letter is added or lost.
const fold = command => {
  const pieces = command.textContent.match(/-\S*(?: [^-\s]\S*)?|\S+|\s+/g) ?? [];
  command.replaceChildren(...pieces.map(piece => {
    if (piece[0] !== "-") return piece;
    const span = document.createElement("span");
    span.textContent = piece;
    return span;
  }));
};

const dress = within => {
  for (const command of within.querySelectorAll("code.command")) fold(command);
  for (const table of within.querySelectorAll("table[data-sortable]")) sortable(table);
  for (const picture of within.querySelectorAll(".picture")) fadable(picture);
};

document.addEventListener("pointermove", look);
document.addEventListener("pointerdown", look);
dress(document);
window.linearscope = { dress };
