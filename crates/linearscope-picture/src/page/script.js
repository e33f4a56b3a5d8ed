"use strict";
// Tables sort by a click on a heading: numbers by their keys, the largest first; rows without a
// key come last either way.
const compare = (number, a, b) =>
  number ? Number(a) - Number(b) : a.localeCompare(b, undefined, { numeric: true });
const sort = (head, descending) => {
  const body = head.closest("table").tBodies[0];
  const keyed = [...body.rows].map(row => {
    const cell = row.cells[head.cellIndex];
    return [cell.dataset.key ?? cell.textContent.trim(), row];
  });
  const number = head.dataset.sort === "number";
  keyed.sort(([a], [b]) => (a === "") - (b === "")
    || (descending ? -1 : 1) * compare(number, a, b));
  body.append(...keyed.map(([, row]) => row));
  for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", descending ? "descending" : "ascending");
};
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
  for (const head of within.querySelectorAll("table[data-sortable] th[data-sort]")) {
    if (head.querySelector("button")) continue;
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const sorted = head.getAttribute("aria-sort");
      sort(head, sorted ? sorted === "ascending" : head.dataset.sort === "number");
    });
  }
};
// Colours of one-channel ramps at −1, −½, 0, ½ and 1.
const STOPS = RAMP_STOPS;
// The place of a colour on the ramp: the nearest point of its straight pieces.
const undiverging = dot => {
  let found = [Infinity, 0];
  for (let i = 0; i + 1 < STOPS.length; i++) {
    const along = STOPS[i].map((from, c) => STOPS[i + 1][c] - from);
    const away = STOPS[i].map((from, c) => dot[c] - from);
    const dotted = (a, b) => a.reduce((sum, x, c) => sum + x * b[c], 0);
    const part = Math.min(1, Math.max(0, dotted(along, away) / dotted(along, along)));
    const rest = away.map((x, c) => x - part * along[c]);
    const squared = dotted(rest, rest);
    if (squared < found[0]) found = [squared, (i + part) / 2 - 1];
  }
  return found[1];
};
const about = value => "≈ " + (Math.abs(value) < 1e-12 ? "0" : value.toPrecision(2)).replace("-", "−");
const said = (picture, dot) => {
  const { ramp, scale } = picture.dataset;
  if (ramp === "diverging") return about(undiverging(dot) * scale);
  if (ramp === "around-grey")
    return dot.map(c => about((c - 127.5) / 127.5 * scale).slice(2)).join(" ").replace(/^/, "≈ ");
  if (ramp) return "";
  const hex = "#" + dot.map(c => c.toString(16).padStart(2, "0")).join("");
  const entries = [...picture.closest("figure").querySelectorAll("[data-colour]")];
  if (entries.length)
    return entries.find(entry => entry.dataset.colour === hex)?.textContent.trim() ?? "";
  return dot.every(c => c === dot[0]) ? `grey ${dot[0]}` : `rgb ${dot.join(" ")}`;
};
const dots = new WeakMap();
const read = (image, x, y) => {
  if (!dots.has(image)) {
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth;
    canvas.height = image.naturalHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    dots.set(image, context);
  }
  return [...dots.get(image).getImageData(x, y, 1, 1).data].slice(0, 3);
};
let shown = null;
const look = event => {
  const picture = event.target.closest?.(".picture[data-block]");
  if (shown && shown.parentNode !== picture) {
    shown.remove();
    shown = null;
  }
  const image = picture?.querySelector("img");
  if (!image?.naturalWidth) return;
  const box = image.getBoundingClientRect();
  const along = (at, from, size, count) =>
    Math.min(count - 1, Math.max(0, Math.floor((at - from) / size * count)));
  const x = along(event.clientX, box.left, box.width, image.naturalWidth);
  const y = along(event.clientY, box.top, box.height, image.naturalHeight);
  const place = (from, at) => Number(from) + at * Number(picture.dataset.block);
  if (!shown) {
    shown = document.createElement("output");
    picture.append(shown);
  }
  const value = said(picture, read(image, x, y));
  shown.textContent = `y ${place(picture.dataset.y, y)}, x ${place(picture.dataset.x, x)}`
    + (value && ` · ${value}`);
};
document.addEventListener("pointermove", look);
document.addEventListener("pointerdown", look);
dress(document);
window.linearscope = { dress };
