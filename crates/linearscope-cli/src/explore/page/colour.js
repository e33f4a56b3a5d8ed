// The project's one mapping from numbers to colours: zero in the middle, hue for the sign, strength for the
// magnitude. The stops come from the program (linearscope-picture/src/colour.rs).

let stops = [[5, 48, 97], [67, 147, 195], [255, 255, 255], [214, 96, 77], [103, 0, 31]];
const POSITIVE = [0xd5, 0x5e, 0x00];
const NEGATIVE = [0x00, 0x72, 0xb2];

export const useStops = given => { if (given?.length === 5) stops = given; };

/** Blue–white–red for t in [−1, 1]; beyond, the ends. */
export const diverging = t => {
  const position = (Math.min(1, Math.max(-1, t)) + 1) * 2;
  const below = Math.min(3, Math.floor(position));
  const part = position - below;
  return [0, 1, 2].map(i => Math.round(stops[below][i] + part * (stops[below + 1][i] - stops[below][i])));
};

/** A value as t in [−1, 1]; `log` shows three decades below the scale. */
export const strength = (value, scale, log) => {
  if (!(scale > 0)) return 0;
  const t = value / scale;
  return log ? Math.sign(t) * Math.min(1, Math.log1p(999 * Math.abs(t)) / Math.log(1000)) : t;
};

// What stands at place `n` of numbers once they are sorted; moves them. Sorting all of them takes four times as long, which
// is seen under the pointer.
const nth = (numbers, n) => {
  let [low, high] = [0, numbers.length - 1];
  while (low < high) {
    const pivot = numbers[(low + high) >> 1];
    let [i, j] = [low, high];
    while (i <= j) {
      while (numbers[i] < pivot) i++;
      while (numbers[j] > pivot) j--;
      if (i > j) break;
      const moved = numbers[i];
      numbers[i++] = numbers[j];
      numbers[j--] = moved;
    }
    if (n <= j) high = j;
    else if (n >= i) low = i;
    else break;
  }
  return numbers[n];
};

/** The magnitude that gets full colour: a percentile of those that are not 0, 100 for the largest. */
export const scaleOf = (plane, percentile = 100) => {
  if (percentile >= 100) {
    let largest = 0;
    for (const v of plane) if (Math.abs(v) > largest) largest = Math.abs(v);
    return largest;
  }
  const sizes = new Float64Array(plane.length);
  let known = 0;
  for (const v of plane) if (Math.abs(v) > 0) sizes[known++] = Math.abs(v);
  return known ? nth(sizes.subarray(0, known), Math.max(0, Math.ceil(percentile / 100 * known) - 1)) : 0;
};

const TABLE = 1024;
const tables = new Map();
// Colours of 2·TABLE + 1 strengths, for opaque planes and for overlays.
const table = over => {
  if (!tables.has(over)) {
    const rgba = new Uint8ClampedArray((2 * TABLE + 1) * 4);
    for (let i = 0; i <= 2 * TABLE; i++) {
      const t = (i - TABLE) / TABLE;
      const [r, g, b] = over ? (t < 0 ? NEGATIVE : POSITIVE) : diverging(t);
      // At full strength the photograph still shows.
      rgba.set([r, g, b, over ? Math.round(255 * 0.9 * Math.abs(t)) : 255], 4 * i);
    }
    tables.set(over, rgba);
  }
  return tables.get(over);
};

/** A field's crop as pixels: `over` for a layer upon a photograph, else opaque. */
export const paint = (field, choice, scale, { log = false, over = false } = {}) => {
  const [c, h, w] = field.shape;
  // A crop without entries is one pixel of nothing.
  if (h * w === 0) return new ImageData(1, 1);
  const image = new ImageData(w, h);
  const out = image.data;
  if (choice === "rgb" && c === 3) {
    const n = h * w;
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < 3; k++) out[4 * i + k] = 127.5 + 127.5 * strength(field.data[k * n + i], scale, log);
      out[4 * i + 3] = 255;
    }
    return image;
  }
  const plane = field.plane(choice);
  const colours = table(over);
  for (let i = 0; i < plane.length; i++) {
    const t = Math.min(1, Math.max(-1, strength(plane[i], scale, log)));
    const at = 4 * Math.round((t + 1) * TABLE);
    out[4 * i] = colours[at];
    out[4 * i + 1] = colours[at + 1];
    out[4 * i + 2] = colours[at + 2];
    out[4 * i + 3] = colours[at + 3];
  }
  return image;
};

/** Values from black to white as pixels, for arrays that are pictures of one or three channels. */
export const photograph = (field, [black, white], bgr = false) => {
  const [c, h, w] = field.shape;
  const image = new ImageData(w, h);
  const n = h * w;
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < 3; k++)
      image.data[4 * i + k] = 255 * (field.data[(c === 3 ? (bgr ? 2 - k : k) : 0) * n + i] - black) / (white - black);
    image.data[4 * i + 3] = 255;
  }
  return image;
};

/** Colours of classes that are told apart: Okabe and Ito's, then hues by the golden angle. */
export const ofClass = k => {
  const okabe = ["#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7", "#666666"];
  if (k < 0) return [128, 128, 128, 0];
  if (k < okabe.length) return [1, 3, 5].map(i => parseInt(okabe[k].slice(i, i + 2), 16)).concat(255);
  const hue = (k * 137.508) % 360, light = 0.4 + 0.25 * ((k * 0.618) % 1);
  const f = n => {
    const part = (n + hue / 30) % 12;
    return Math.round(255 * (light - 0.55 * Math.min(light, 1 - light) * Math.max(-1, Math.min(part - 3, 9 - part, 1))));
  };
  return [f(0), f(8), f(4), 255];
};

export const css = ([r, g, b]) => `rgb(${r} ${g} ${b})`;
