// Everything by keyboard. One table: it is what is done, and what `?` shows.

import { el, button } from "./dom.js";

const inPlace = event => event.target.closest?.("input, select, textarea, dialog[open], [role=tablist], ol.scores, .chart, a");

/** [keys, as shown, what they do, action(stage, event)] */
const table = [
  [["ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight"], "← ↑ ↓ →", "move the cursor by a pixel, with Shift by 8", (stage, event) => {
    const by = event.shiftKey ? 8 : 1;
    const [dy, dx] = { ArrowUp: [-by, 0], ArrowDown: [by, 0], ArrowLeft: [0, -by], ArrowRight: [0, by] }[event.key];
    stage.flashlight.step(dy, dx);
  }],
  [["Enter"], "Enter", "pin the cursor's place; with Shift, compare it with the pinned place", (stage, event) => {
    const { flashlight } = stage;
    const at = flashlight.pinned ? flashlight.reading ?? stage.state.get("at") : flashlight.cursor;
    if (at) flashlight.pin(stage.snap(at), event.shiftKey);
  }],
  [["Escape"], "Esc", "release the second place, then the pin", stage => stage.flashlight.release()],
  [["r"], "r", "one corner of a region, then the other", stage => stage.flashlight.corner()],
  [["i", "o"], "i o", "go to the input, to the output", (stage, event) =>
    (event.key === "i" ? stage.sides.in?.canvas : stage.sides.out?.canvas ?? document.querySelector("ol.scores button"))?.focus()],
  [["+", "=", "-", "0"], "+ − 0", "zoom in, out, and back (also the wheel; Alt + drag pans)", (stage, { key }) => {
    const place = stage.flashlight.reading ?? stage.flashlight.cursor;
    const plane = stage.sides[place?.side ?? "in"] ?? stage.sides.in;
    const at = place?.y !== undefined ? { u: place.x + 0.5, v: place.y + 0.5 } : { u: plane.width / 2, v: plane.height / 2 };
    if (key === "0") stage.look(1, 0.5, 0.5);
    else stage.zoomAt(key === "-" ? 1 / 1.5 : 1.5, plane, at);
  }],
  [["v"], "v", "show fields over the picture, or alone", stage => stage.state.set({ over: !stage.state.get("over") })],
  [["g"], "g", "logarithmic colours", stage => stage.state.set({ log: !stage.state.get("log") })],
  [["k"], "k", "lock or unlock the scale", stage => stage.lock()],
  [["c"], "c", "copy the link of this view", stage => stage.actions.link()],
  [["t"], "t", "light, dark, or as the system setting", stage => stage.actions.theme()],
  [["[", "]"], "[ ]", "the panel before, the next one", (stage, { key }) => stage.panels.step(key === "[" ? -1 : 1)],
  [["?"], "?", "show these keys", stage => stage.actions.keys()],
];

export const listen = stage => addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
  const letter = event.key.length === 1;
  const held = inPlace(event);
  // Where letters are typed they are letters; Esc lets go from anywhere.
  if (held && event.key !== "Escape" && !(letter && !held.matches("input[type=search], input[type=number], select, textarea"))) return;
  if (event.key === "Enter" && event.target.closest("button")) return;
  if (event.key === "Escape" && document.querySelector("dialog[open]")) return;
  const row = table.find(([keys]) => keys.includes(event.key));
  if (!row) return;
  event.preventDefault();
  row[3](stage, event);
});

/** The dialogue that `?` opens. */
export const show = () => {
  const dialog = document.getElementById("keys");
  dialog.replaceChildren(
    el("h2", { id: "keys-title" }, "Keys"),
    el("table", {}, el("tbody", {}, table.map(([, shown, does]) =>
      el("tr", {}, el("th", {}, shown.split(" ").flatMap(key => [el("kbd", {}, key), " "])), el("td", {}, does))))),
    el("p", {}, "Mouse: move to look, click to pin, drag for a region, Shift + click to compare two places. Touch: tap to pin."),
    button("Close", () => dialog.close()));
  if (!dialog.open) dialog.showModal();
};
