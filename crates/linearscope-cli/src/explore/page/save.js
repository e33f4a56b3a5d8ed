// What one takes along: a picture, the array, and the command that makes it.

import { el, button } from "./dom.js";

const download = (url, name) => el("a", { href: url, download: name }).click();

/** A canvas as PNG, each entry at least `dots` pixels wide. */
const png = (plane, name) => {
  const flat = plane.flat();
  const dots = Math.max(1, Math.floor(512 / Math.max(flat.width, flat.height)));
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [flat.width * dots, flat.height * dots];
  const context = canvas.getContext("2d");
  context.imageSmoothingEnabled = false;
  context.drawImage(flat, 0, 0, canvas.width, canvas.height);
  canvas.toBlob(blob => {
    const url = URL.createObjectURL(blob);
    download(url, `${name}.png`);
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
  });
};

/** How the program says a place: a region as ranges. */
const target = ({ place, channel, target }) => {
  if (place?.box) {
    const [y0, x0, y1, x1] = place.box;
    return `${channel},${y0}..${y1},${x0}..${x1}`;
  }
  return place?.k ?? target;
};

/** A word as a shell takes it for one, whatever is in it. */
const quoted = word => (/^[\w./,=:+@%-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`);

/** The model and the flags of the network that an address asks about; null where no command line makes it. */
const lineOf = (stage, address) => {
  const asked = new URLSearchParams(address.split("?")[1]);
  // A picture that an attack made is in no file.
  if (asked.has("attacked")) return null;
  const [net, rules, to] = [Number(asked.get("net") ?? 0), asked.get("rules"), asked.get("to")];
  const { state, session } = stage;
  if (net === state.get("net") && rules === state.get("rules") && to === state.get("to")) return stage.net.line;
  return rules || to ? null : session.nets[net]?.line ?? null;
};

/** The command line for what is shown, or null. */
export const commandOf = (stage, shown) => {
  const form = stage.session.commands?.[{ x0: "run", y0: "run" }[shown.kind] ?? shown.kind];
  const line = shown.address && lineOf(stage, shown.address);
  if (!form || !line) return null;
  const given = { at: target(shown), target: target(shown), method: stage.method(), k: stage.state.get("k"), ...shown.given };
  // The forms are those of the first network.
  const whole = form.replace(stage.session.nets[0].line, () => line);
  const filled = whole.replace(/\{(\w+)\}/g, (all, name) => (name in given ? quoted(String(given[name])) : all));
  return /\{\w+\}/.test(filled) ? null : filled;
};

/** Copy a text; says so on the button. */
const copy = async (text, at) => {
  const said = at.textContent;
  try {
    await navigator.clipboard.writeText(text);
    at.textContent = "copied";
  } catch {
    const range = document.createRange();
    const code = at.parentNode.querySelector("code");
    if (code) range.selectNodeContents(code);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    at.textContent = "press Ctrl + C";
  }
  setTimeout(() => { at.textContent = said; }, 1500);
};

/** PNG, .npy and the command of what is shown: `plane()` draws it, if not null; `shown()` is `{ kind, address }` now. */
export const takeAlong = (stage, plane, shown) => {
  const name = () => {
    const { kind, address } = shown();
    return `${kind} ${decodeURIComponent(address?.split("?")[1] ?? "")}`.replace(/[^\w.,-]+/g, "-").replace(/-+$/, "");
  };
  const code = el("code.command");
  const copies = button("copy", event => copy(code.textContent, event.target), { "aria-label": "Copy the command" });
  const line = el("div.command-line", { hidden: true }, code, copies);
  const fill = () => { code.textContent = commandOf(stage, shown()) ?? "There is no command for this."; };
  const opens = button("command", () => {
    line.hidden = !line.hidden;
    opens.setAttribute("aria-expanded", String(!line.hidden));
    fill();
  }, { "aria-expanded": "false", title: "The command that computes this" });
  const array = button(".npy", async () => download(await stage.api.source.url(shown().address), `${name()}.npy`), { title: "Save the array, for numpy.load" });
  stage.flashlight.watch(() => {
    // A difference is made here: no address has it.
    array.disabled = !shown()?.address;
    if (!line.hidden) fill();
  });
  return el("div.take", {},
    plane && button("PNG", () => png(plane(), name()), { title: "Save this picture" }),
    array, opens, line);
};

/** The link of this view, copied. */
export const copyLink = (stage, at) => copy(stage.state.link, at);
