// Input and output, side by side: the picture, the field of what is looked at, and what can be taken along.

import { Plane } from "./plane.js";
import { Scores } from "./scores.js";
import { el, choose, failure } from "./dom.js";
import { isVector } from "./npy.js";
import { ofClass } from "./colour.js";
import { path } from "./api.js";
import { significant, time } from "./number.js";
import { takeAlong } from "./save.js";

const CHANNELS = { rgb: ["R", "G", "B"], bgr: ["B", "G", "R"], rgba: ["R", "G", "B", "A"], y: ["Y"] };

/** What a field is, in numbers. */
const facts = (field, choice) => {
  if (choice === "rgb") choice = "all";
  const { sum, largest, entries, y, x } = field.facts(choice);
  const [, h, w] = field.shape;
  if (!entries) return "All entries are 0: neither place depends on the other.";
  const { r } = field.core(choice);
  const reach = `98 % within ${r} px, all in ${h} × ${w}`;
  const ms = field.about.ms ?? field.about.round;
  return [`largest ${significant(largest, 3)} at (${y}, ${x})`, `sum ${significant(sum, 3)}`, reach, time(Number(ms))].filter(Boolean).join(" · ");
};

/** What an attribution says of itself. */
const account = ({ about }) => {
  const said = [];
  if (about.score) said.push(`score ${significant(Number(about.score))}`);
  if (about.sum) said.push(`sum ${significant(Number(about.sum))}`);
  if (about.gap) said.push(`gap ${significant(Number(about.gap), 3)}`);
  if (about.percent) said.push(`${significant(Number(about.percent), 4)} %`);
  return said.join(" · ");
};

const channelsOf = (shape, net) => {
  const names = CHANNELS[net.recipe?.channels] ?? (shape[0] === 3 ? CHANNELS.rgb : []);
  return shape[0] === names.length ? names : Array.from({ length: shape[0] }, (_, c) => String(c));
};

/** One half of the page. */
class View {
  constructor(stage, side, title) {
    Object.assign(this, { stage, side });
    this.head = el("h2", {}, title);
    this.note = el("span.note");
    this.controls = el("span.controls");
    this.body = el("div.body");
    this.status = el("div.status", { "aria-live": "polite" });
    this.node = el(`section.view.${side}`, { "aria-label": title }, el("header", {}, this.head, this.note, this.controls), this.body, this.status);
  }

  /** Which channel is moved or summed, and shown. */
  channels(shape, property, words) {
    const [c] = shape;
    if (c === 1) return this.controls.replaceChildren();
    const names = channelsOf(shape, this.stage.net);
    const options = [["all", words], ...(c === 3 ? [["rgb", "in colour"]] : []), ...names.map((name, i) => [i, /^\d+$/.test(name) ? `channel ${name}` : name])];
    this.controls.replaceChildren(choose("", options, this.stage.state.get(property),
      value => this.stage.state.set({ [property]: value }), { "aria-label": `${this.side === "in" ? "Input" : "Output"} channel` }));
  }

  /** What became of a question whose answer comes here. */
  tell(here, error, slow) {
    if (here && error) this.fail(error);
    else if (here && slow) this.status.replaceChildren(el("p.busy", {}, el("i"), `Computing … ${time(slow)}`));
    else if (this.status.firstChild) this.status.replaceChildren();
  }

  fail(error) {
    this.status.replaceChildren(failure(error));
  }
}

/** x₀, and rows, layers and attributions over it. */
export class InputView extends View {
  constructor(stage) {
    super(stage, "in", "Input x₀");
    this.plane = new Plane(stage, "in", { label: "Input: arrow keys move the cursor" });
    this.plane.node.append(takeAlong(stage, () => this.plane, () => this.shown));
    this.body.append(this.plane.node);
    stage.sides.in = this.plane;
  }

  async load() {
    const { stage, plane } = this;
    const query = stage.query();
    this.x0 = await stage.api.array(path("array/x0", { net: query.net }));
    plane.size(this.x0.shape[1], this.x0.shape[2]);
    this.channels(this.x0.shape, "ci", "all channels");
    this.note.textContent = this.x0.full.join(" × ") + stage.stepWords("in");
    const picture = stage.net.input_is_picture && await stage.api.picture(path("picture/x0.png", { net: query.net })).catch(() => null);
    this.base = picture || null;
    plane.base(this.base);
    stage.input = this;
    this.show({});
  }

  /** The row, if that is what is looked at. */
  show({ source, field, other, asked, error, slow }) {
    const { plane, stage } = this;
    const mine = source && source.kind !== "column";
    this.tell(asked && asked.kind !== "column", error, slow);
    const choice = stage.state.get("ci");
    const shown = mine && field ? (other ? field.minus(other) : field) : null;
    this.shown = mine && field ? taken(source, other) : { kind: "x0", address: path("array/x0", { net: stage.query().net }) };
    const name = source?.kind === "attribution" ? "adds" : other ? "difference" : "weight";
    const percentile = source?.kind === "attribution" ? 99 : 100;
    if (shown) plane.show(shown, choice, { percentile });
    else if (this.base) plane.show(null);
    else plane.show(this.x0, choice, { alone: true });
    plane.numbers = [["x₀", this.x0, this.x0.shape[0] <= 4 ? "rgb" : choice], [name, shown, choice]];
    plane.facts.textContent = !shown ? ""
      : other ? `A − B · cosine of A and B ${significant(field.cosine(other), 3)}`
      : source.kind === "attribution" ? [account(field), time(Number(field.about.ms ?? field.about.round))].filter(Boolean).join(" · ") : facts(shown, choice);
    magnify(plane, shown, field, other);
    mark(stage, plane);
  }
}

// What can be taken along: the field, or the difference from another, which only the page has.
const taken = (source, other) => (other ? { kind: "difference", address: null } : source);

// The magnified crop, where the whole shows it small.
const magnify = (plane, shown, field, other) => {
  if (!shown || !shown.shape[1]) return plane.magnify();
  const { h, w } = shown.core(plane.choice === "rgb" ? "all" : plane.choice);
  if (h * w >= 0.16 * plane.height * plane.width) plane.magnify();
  else if (other) plane.magnify(...[["A", field], ["B", other], ["A − B", shown]]);
  else plane.magnify(["magnified", shown]);
};

const mark = (stage, plane) => {
  const { state, flashlight } = stage;
  const mine = place => (place?.side === plane.side && place.k === undefined ? place : null);
  const reading = flashlight.reading ?? (flashlight.pinned ? null : flashlight.cursor);
  const twin = reading && reading.side !== plane.side && reading.k === undefined && twinOf(stage, reading, plane);
  plane.marks = {
    cursor: mine(reading), pin: mine(state.get("at")), second: mine(state.get("second")),
    // A field marks its own place; a dot upon it would hide it.
    region: mine(state.get("region"))?.box, twin: plane.field ? null : twin, arrows: plane.marks.arrows,
  };
  plane.read(mine(reading) ?? mine(flashlight.place?.box ? null : flashlight.place));
  plane.draw();
};

// The same place of the other picture.
const twinOf = (stage, { side, y, x }, plane) => {
  const from = stage.sides[side];
  if (!from || plane.height < 2 || from.height < 2) return null;
  return { y: Math.floor((y + 0.5) * plane.height / from.height), x: Math.floor((x + 0.5) * plane.width / from.width) };
};

/** y₀: a picture, a label map, an array or scores, and columns over it. */
export class OutputView extends View {
  constructor(stage) {
    super(stage, "out", "Output y₀");
    stage.output = this;
  }

  async load() {
    const { stage } = this;
    this.ready = false;
    const to = stage.state.get("to");
    this.y0 = await stage.api.array(path("array/y0", stage.query()));
    this.head.textContent = to ? `Output: ${to}` : "Output y₀";
    this.task = to ? "other" : stage.net.task;
    this.plane?.close();
    this.plane = null;
    this.labels = null;
    if (isVector(this.y0.full)) {
      this.scores = new Scores(stage, this.y0, to ? null : stage.net.labels);
      this.body.replaceChildren(this.scores.node, takeAlong(stage, null, () => this.shown));
      this.controls.replaceChildren(...(to ? [] : [this.scores.chooser()]));
      this.note.textContent = `${this.y0.data.length} ${to ? "entries" : "classes"}`;
      stage.sides.out = null;
    } else await this.#planes();
    document.getElementById("views").classList.toggle("scores", Boolean(this.scores));
    this.ready = true;
    this.show({});
  }

  async #planes() {
    const { stage, y0 } = this;
    this.scores = null;
    const plane = this.plane = new Plane(stage, "out", { label: "Output: arrow keys move the cursor" });
    plane.size(y0.shape[1], y0.shape[2]);
    plane.node.append(takeAlong(stage, () => plane, () => this.shown));
    this.body.replaceChildren(plane.node);
    stage.sides.out = plane;
    this.note.textContent = y0.full.join(" × ") + stage.stepWords("out");
    this.channels(y0.shape, "co", this.task === "segmenter" ? "winning class" : "all channels");
    if (this.task === "segmenter") this.#labelMap();
    else if (stage.net.output_is_picture && !stage.state.get("to"))
      this.picture = await stage.api.picture(path("picture/y0.png", stage.query())).catch(() => null);
    else this.picture = null;
    plane.base(this.picture);
  }

  // A class a place, and how its pixels look.
  #labelMap() {
    const { y0: { data, shape: [c, h, w] } } = this;
    this.labels = new Int32Array(h * w);
    const image = new ImageData(w, h);
    for (let i = 0; i < h * w; i++) {
      let best = 0;
      for (let k = 1; k < c; k++) if (data[k * h * w + i] > data[best * h * w + i]) best = k;
      this.labels[i] = best;
      image.data.set(ofClass(best), 4 * i);
    }
    this.picture = image;
  }

  /** Of a segmenter the class that wins at a place. */
  label(place, chosen) {
    // In a region several may win: there the sum over classes is meant.
    if (!this.labels || chosen !== "all" || place.side !== "out" || place.box) return undefined;
    return this.labels[place.y * this.y0.shape[2] + place.x];
  }

  show({ source, field, other, asked, error, slow }) {
    if (!this.ready) return;
    const { stage, plane } = this;
    const mine = source?.kind === "column";
    this.tell(asked?.kind === "column", error, slow);
    const shown = mine && field ? (other ? field.minus(other) : field) : null;
    this.shown = mine && field ? taken(source, other) : { kind: "y0", address: path("array/y0", stage.query()) };
    if (this.scores) return this.scores.show(shown, source);
    const choice = stage.state.get("co");
    if (shown) plane.show(shown, choice);
    else if (this.picture) plane.show(null);
    else plane.show(this.y0, choice, { alone: true });
    const place = stage.flashlight.reading;
    // Of a segmenter the score of the class that wins there.
    const winner = this.labels && choice === "all" && ((y, x) => this.labels[y * this.y0.shape[2] + x]);
    plane.numbers = [["y₀", this.y0, winner || (this.y0.shape[0] <= 4 ? "rgb" : choice)], [other ? "difference" : "column", shown, choice]];
    plane.facts.textContent = !shown ? this.#labelAt(place)
      : other ? `A − B · cosine of A and B ${significant(field.cosine(other), 3)}` : facts(shown, choice);
    magnify(plane, shown, field, other);
    mark(stage, plane);
  }

  #labelAt(place) {
    if (!this.labels || place?.side !== "out" || place.k !== undefined) return "";
    return this.stage.className(this.labels[place.y * this.y0.shape[2] + place.x]);
  }
}

export { mark, facts, account };
