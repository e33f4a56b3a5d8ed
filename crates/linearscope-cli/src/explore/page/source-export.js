// Where answers come from: the files of an export, beside this page. They are scripts that call back, since pages from
// disk may load nothing else. A file is a pack: many answers, as the program gave them, deflated. What was not computed
// for the export is refused in the words in which the program refuses.

import { inflate, interleave } from "./unpack.js";

/** How many packs are kept at hand. */
const KEPT = 40;

const KINDS = { in: "column", out: "row" };
const MANY = { column: "Columns", row: "Rows" };

/** A question by its name below `/api/` and its parameters in the order of their names. As explore/export/query.rs. */
const nameOf = address => {
  const { pathname, searchParams } = new URL(address, "http://export/");
  const pairs = [...searchParams].filter(([name]) => name !== "hover" && name !== "client");
  pairs.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  const path = pathname.replace(/^\/api\//, "");
  return { path, searchParams, name: pairs.length ? `${path}?${pairs.map(pair => pair.join("=")).join("&")}` : path };
};

const refusal = (status, error, hint) =>
  new Response(JSON.stringify({ error, hint }), { status, headers: { "content-type": "application/json" } });

// Headers are Latin-1; what they hold is UTF-8, as over HTTP.
const header = text => String.fromCharCode(...new TextEncoder().encode(text));

/** The answers of a pack by name. As explore/export/pack.rs. */
const open = async text => {
  const whole = await inflate(text);
  const view = new DataView(whole.buffer);
  const [width, length] = [view.getUint32(0, true), view.getUint32(4, true)];
  const entries = JSON.parse(new TextDecoder().decode(whole.subarray(8, 8 + length)));
  const bytes = interleave(whole.subarray(8 + length), width);
  return new Map(entries.map(({ name, at, bytes: size, ...said }) => [name, { ...said, body: bytes.subarray(at, at + size) }]));
};

/** `index`: which pack has which question, the grids of rows and columns, and how the program is started. */
export class Folder {
  live = false;
  #index;
  #packs = new Map();
  #waiting = new Map();

  constructor(index) {
    this.#index = index;
    // What the scripts of the folder call.
    globalThis.linearscopePack = (name, text) => this.#waiting.get(name)?.(text);
  }

  async answer(address, { signal } = {}) {
    const asked = nameOf(address);
    const pack = this.#packOf(asked);
    if (!pack) return refusal(404, `This was not exported.${this.#near(asked)}`, `To compute it, run the program: ${this.#index.again}`);
    let found;
    try {
      found = (await this.#load(pack)).get(asked.name);
    } catch (error) {
      return refusal(500, `data/${pack}.js: ${error.message}.`, "The folder is incomplete: copy all of it, or run the same export again.");
    }
    signal?.throwIfAborted();
    if (!found) return refusal(404, "This was not exported.", `To compute it, run the program: ${this.#index.again}`);
    const headers = { "content-type": found.kind };
    for (const [name, value] of Object.entries(found.headers)) headers[name] = header(value);
    return new Response(found.body, { status: found.status, headers });
  }

  async url(address) {
    const answer = await this.answer(address);
    if (!answer.ok) throw new Error((await answer.json()).error);
    const url = URL.createObjectURL(await answer.blob());
    setTimeout(() => URL.revokeObjectURL(url), 60_000);
    return url;
  }

  snap(place) {
    const grid = this.#index.grids[KINDS[place.side]];
    if (!grid || place.y === undefined) return place;
    const nearest = (all, at) => all.reduce((best, one) => (Math.abs(one - at) < Math.abs(best - at) ? one : best));
    return { ...place, y: nearest(grid.y, place.y), x: nearest(grid.x, place.x) };
  }

  step(side) {
    return this.#index.grids[KINDS[side]]?.step ?? 1;
  }

  #packOf({ path, searchParams, name }) {
    if (Object.hasOwn(this.#index.packs, name)) return this.#index.packs[name];
    const grid = this.#index.grids[path];
    const [, y, x] = (searchParams.get("at") ?? "").split(",").map(Number);
    const [i, j] = [grid?.y.indexOf(y) ?? -1, grid?.x.indexOf(x) ?? -1];
    return i < 0 || j < 0 || searchParams.has("region") ? null : `${path}-${Math.floor(i / grid.tile)}-${Math.floor(j / grid.tile)}`;
  }

  // What there is instead.
  #near({ path, searchParams }) {
    const grid = this.#index.grids[path];
    if (!grid) return "";
    if (searchParams.has("region")) return ` ${MANY[path]} are available for single places only.`;
    return grid.step > 1 ? ` ${MANY[path]} are here for places ${grid.step} apart, from (${grid.y[0]}, ${grid.x[0]}) on.` : "";
  }

  #load(name) {
    const pack = this.#packs.get(name) ?? this.#read(name).then(open);
    this.#packs.delete(name);
    this.#packs.set(name, pack);
    // What failed is tried again.
    pack.catch(() => this.#packs.delete(name));
    const oldest = this.#packs.keys().next().value;
    if (this.#packs.size > KEPT) this.#packs.delete(oldest);
    return pack;
  }

  #read(name) {
    return new Promise((done, fail) => {
      const script = document.createElement("script");
      this.#waiting.set(name, done);
      const end = why => () => {
        this.#waiting.delete(name);
        script.remove();
        fail(new Error(why));
      };
      // After its call this is too late to mean anything.
      script.addEventListener("load", end("it is empty"));
      script.addEventListener("error", end("it is missing"));
      script.src = `data/${name}.js`;
      document.head.append(script);
    });
  }
}
