// The number under the cursor: the array's own, which the picture carries; until it is unpacked, and where it carries
// none, what the colour tells.

import { significant } from "./number.js";
import { inflate, interleave } from "./unpack.js";

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

const byColour = (picture, dot) => {
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
const colour = (image, x, y) => {
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

// The numbers of a picture, channel by channel; null until they are there.
const carried = new WeakMap();
const numbers = picture => {
  const { values, width } = picture.dataset;
  if (values === undefined) return null;
  if (!carried.has(picture)) {
    carried.set(picture, null);
    inflate(values).then(planes => {
      const bytes = interleave(planes, Number(width)).buffer;
      carried.set(picture, Number(width) === 8 ? new Float64Array(bytes) : new Float32Array(bytes));
    }, () => {});
  }
  return carried.get(picture);
};

const exact = (picture, image, x, y) => {
  const all = numbers(picture);
  if (!all) return null;
  const each = image.naturalWidth * image.naturalHeight;
  const at = y * image.naturalWidth + x;
  return Array.from({ length: all.length / each }, (_, c) => all[c * each + at]);
};

let shown = null;

/** Say what is under the pointer. */
export const look = event => {
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
  const known = exact(picture, image, x, y);
  const value = known?.map(v => significant(v)).join(" ") ?? byColour(picture, colour(image, x, y));
  shown.textContent = `y ${place(picture.dataset.y, y)}, x ${place(picture.dataset.x, x)}`
    + (value && ` · ${value}`);
  // To the last digit, for who copies it.
  if (known) shown.dataset.value = known.join(" ");
  else delete shown.dataset.value;
};
