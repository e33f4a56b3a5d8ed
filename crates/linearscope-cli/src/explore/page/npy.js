// Arrays of the server: NumPy's .npy, version 1, and where a crop lies in the whole.

const KINDS = { "<f4": Float32Array, "<f8": Float64Array, "<i4": Int32Array, "|u1": Uint8Array, "<i8": BigInt64Array };

/** The bytes of a `.npy` as `{ shape, data }`. Throws for what is none. */
export const parse = buffer => {
  const bytes = new Uint8Array(buffer, 0, Math.min(buffer.byteLength, 10));
  if (bytes.length < 10 || bytes[0] !== 0x93 || String.fromCharCode(...bytes.subarray(1, 6)) !== "NUMPY")
    throw new Error("the response is not an .npy array");
  const view = new DataView(buffer);
  const [at, length] = bytes[6] === 1 ? [10, view.getUint16(8, true)] : [12, view.getUint32(8, true)];
  const header = new TextDecoder("latin1").decode(new Uint8Array(buffer, at, length));
  const kind = KINDS[/'descr':\s*'([^']+)'/.exec(header)?.[1]];
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header)?.[1].split(",").map(s => s.trim()).filter(Boolean).map(Number);
  if (!kind || !shape || /'fortran_order':\s*True/.test(header))
    throw new Error(`cannot read an array with the header ${header.trim()}`);
  const start = at + length;
  const size = shape.reduce((a, b) => a * b, 1);
  const whole = start % kind.BYTES_PER_ELEMENT === 0 ? buffer : buffer.slice(start);
  const data = new kind(whole, whole === buffer ? start : 0, size);
  return { shape, data: kind === BigInt64Array ? Int32Array.from(data, Number) : data };
};

/** Any shape as channels, rows and columns; leading axes count as channels. */
export const planar = shape => {
  const long = shape.length > 3 ? [shape.slice(0, -2).reduce((a, b) => a * b, 1), ...shape.slice(-2)] : shape;
  return [...Array(Math.max(0, 3 - long.length)).fill(1), ...long];
};

/** Whether an array is a list of numbers: one axis longer than 1. */
export const isVector = shape => shape.filter(size => size > 1).length <= 1;

// Browsers read headers as Latin-1.
const utf8 = text => new TextDecoder().decode(Uint8Array.from(text, letter => letter.charCodeAt(0)));

/** An array of the server with its place in the whole: `{ data, shape: [c,h,w], window, full, ... }`. */
export class Field {
  constructor({ shape, data }, window = null, full = null, about = {}) {
    this.data = data;
    this.shape = planar(shape);
    this.about = about;
    const [c, h, w] = this.shape;
    this.full = full ? planar(full) : [c, h, w];
    this.window = window ?? { y: 0, x: 0, h, w };
  }

  static read(buffer, headers) {
    const numbers = name => headers.get(name)?.split(",").map(Number) ?? null;
    const place = numbers("Linearscope-Window");
    const about = {};
    for (const [name, value] of headers)
      if (name.startsWith("linearscope-")) about[name.slice("linearscope-".length)] = utf8(value);
    return new Field(parse(buffer), place && { y: place[0], x: place[1], h: place[2], w: place[3] },
      numbers("Linearscope-Full"), about);
  }

  /** Entry `c,y,x` of the whole; outside the crop 0. */
  at(c, y, x) {
    const { window } = this;
    const [v, u] = [y - window.y, x - window.x];
    if (v < 0 || u < 0 || v >= window.h || u >= window.w) return 0;
    return this.data[(c * window.h + v) * window.w + u];
  }

  /** The values at a place as a channel choice shows them: one number, or one a channel for `rgb`. */
  values(choice, y, x) {
    const [c] = this.shape;
    if (choice === "rgb") return Array.from({ length: c }, (_, i) => this.at(i, y, x));
    if (choice !== "all") return [this.at(Math.min(Number(choice), c - 1), y, x)];
    let sum = 0;
    for (let i = 0; i < c; i++) sum += this.at(i, y, x);
    return [sum];
  }

  /** One plane of the crop: a channel, or their sum. Kept. */
  plane(choice) {
    this.planes ??= new Map();
    const key = choice === "rgb" ? "all" : choice;
    if (!this.planes.has(key)) {
      const [c, h, w] = this.shape;
      const n = h * w;
      const one = key === "all" ? null : Math.min(Number(key), c - 1);
      if (one !== null || c === 1) this.planes.set(key, this.data.subarray((one ?? 0) * n, ((one ?? 0) + 1) * n));
      else {
        const sum = new Float64Array(n);
        for (let i = 0; i < c * n; i++) sum[i % n] += this.data[i];
        this.planes.set(key, sum);
      }
    }
    return this.planes.get(key);
  }

  /** Sum, largest magnitude with its place, and how many entries are not 0, of one plane. Kept. */
  facts(choice) {
    this.known ??= new Map();
    if (!this.known.has(choice)) {
      const plane = this.plane(choice);
      let [sum, largest, where, entries] = [0, 0, 0, 0];
      for (let i = 0; i < plane.length; i++) {
        const v = plane[i];
        sum += v;
        if (v !== 0) entries++;
        if (Math.abs(v) > Math.abs(largest)) [largest, where] = [v, i];
      }
      const { y, x, w } = this.window;
      this.known.set(choice, { sum, largest, entries, y: y + Math.floor(where / w), x: x + (where % w) });
    }
    return this.known.get(choice);
  }

  /**
   * Where most of a plane is: the smallest square around its largest entry that holds 98 % of its squares, within the
   * crop, as a window of the whole. Kept.
   */
  core(choice) {
    this.cores ??= new Map();
    if (!this.cores.has(choice)) {
      const { y, x } = this.facts(choice);
      const { window } = this;
      const plane = this.plane(choice);
      const rings = new Float64Array(Math.max(window.h, window.w) + 1);
      let all = 0;
      for (let i = 0; i < plane.length; i++) {
        const far = Math.max(Math.abs(window.y + Math.floor(i / window.w) - y), Math.abs(window.x + (i % window.w) - x));
        rings[far] += plane[i] ** 2;
        all += plane[i] ** 2;
      }
      let [r, held] = [0, rings[0]];
      while (held < 0.98 * all && r + 1 < rings.length) held += rings[++r];
      const [top, left] = [Math.max(window.y, y - r), Math.max(window.x, x - r)];
      this.cores.set(choice, { y: top, x: left, r,
        h: Math.max(0, Math.min(window.y + window.h, y + r + 1) - top), w: Math.max(0, Math.min(window.x + window.w, x + r + 1) - left) });
    }
    return this.cores.get(choice);
  }

  /** A window of it as a field of its own. */
  within({ y, x, h, w }) {
    const [c] = this.shape;
    const data = new Float64Array(c * h * w);
    for (let i = 0; i < data.length; i++)
      data[i] = this.at(Math.floor(i / (h * w)), y + Math.floor((i % (h * w)) / w), x + (i % w));
    return new Field({ shape: [c, h, w], data }, { y, x, h, w }, this.full);
  }

  get bytes() {
    return this.data.byteLength + 1024;
  }

  /** `this − other`, entry by entry, on the smallest window that holds both. */
  minus(other) {
    const [a, b] = [this.window, other.window];
    const y = Math.min(a.y, b.y), x = Math.min(a.x, b.x);
    const h = Math.max(a.y + a.h, b.y + b.h) - y, w = Math.max(a.x + a.w, b.x + b.w) - x;
    const [c] = this.shape;
    const data = new Float64Array(c * h * w);
    for (let i = 0; i < data.length; i++) {
      const [ch, v, u] = [Math.floor(i / (h * w)), y + Math.floor((i % (h * w)) / w), x + (i % w)];
      data[i] = this.at(ch, v, u) - other.at(ch, v, u);
    }
    return new Field({ shape: [c, h, w], data }, { y, x, h, w }, this.full);
  }

  /** The cosine of the angle between two arrays of one shape. */
  cosine(other) {
    let [ab, aa, bb] = [0, 0, 0];
    const { window, shape: [c] } = this;
    for (let i = 0; i < this.data.length; i++) {
      const [ch, rest] = [Math.floor(i / (window.h * window.w)), i % (window.h * window.w)];
      ab += this.data[i] * other.at(ch, window.y + Math.floor(rest / window.w), window.x + (rest % window.w));
      aa += this.data[i] ** 2;
    }
    for (const v of other.data) bb += v * v;
    return aa * bb > 0 ? ab / Math.sqrt(aa * bb) : NaN;
  }
}
