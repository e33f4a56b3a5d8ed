// What a view is made of. One table: each property has its default, how it is read from a link and how it is
// written into one. Nothing else knows of addresses, so every view is a link.

const whole = text => (/^\d+$/.test(text) ? Number(text) : undefined);
const wholes = (text, count) => {
  const numbers = text.split(",").map(whole);
  return numbers.length === count && !numbers.includes(undefined) ? numbers : undefined;
};
const number = text => (text !== "" && Number.isFinite(Number(text)) ? Number(text) : undefined);
const within = (low, high) => text => {
  const x = number(text);
  return x !== undefined && x >= low && x <= high ? x : undefined;
};
const flag = text => ({ 1: true, 0: false })[text];
const word = text => (/^[\w.:/@+-]+$/.test(text) ? text : undefined);
// No line breaks or other controls: it may come to stand in a command line.
const text = given => (given && !/[\u0000-\u001f\u007f-\u009f]/.test(given) ? given : undefined);
const oneOf = (...words) => given => (words.includes(given) ? given : undefined);

// A place: `in,y,x`, `out,y,x`, or `out,k` of scores.
const place = given => {
  const [side, ...rest] = given.split(",");
  const numbers = rest.map(whole);
  if (numbers.includes(undefined)) return undefined;
  if (side === "out" && numbers.length === 1) return { side, k: numbers[0] };
  return ["in", "out"].includes(side) && numbers.length === 2 ? { side, y: numbers[0], x: numbers[1] } : undefined;
};
const printPlace = p => (p.k !== undefined ? `out,${p.k}` : `${p.side},${p.y},${p.x}`);
// A region: `in,y0,x0,y1,x1`; from is inside, to is not.
const region = given => {
  const [side, ...rest] = given.split(",");
  const box = wholes(rest.join(","), 4);
  return ["in", "out"].includes(side) && box && box[0] < box[2] && box[1] < box[3] ? { side, box } : undefined;
};
const channel = given => (["all", "rgb"].includes(given) ? given : whole(given) === undefined ? undefined : given);

const own = String;
const bit = on => (on ? "1" : "0");
const short = x => String(Number(x.toPrecision(6)));

/** name: [default, parse, print] */
export const PROPERTIES = {
  at: [null, place, printPlace],
  region: [null, region, r => `${r.side},${r.box.join(",")}`],
  second: [null, place, printPlace],
  ci: ["all", channel, own],
  co: ["all", channel, own],
  to: [null, text, own],
  rules: [null, word, own],
  against: [null, word, own],
  net: [0, whole, own],
  panel: [null, word, own],
  target: [null, word, own],
  method: [null, word, own],
  layer: [null, text, own],
  k: [8, within(1, 256), own],
  pair: [0, whole, own],
  pairs: [1, whole, own],
  towards: ["black", word, own],
  t: [0.35, within(0, 1), short],
  eps: [2, within(0, 255), short],
  over: [true, flag, bit],
  log: [false, flag, bit],
  lock: [null, within(1e-30, 1e30), short],
  zoom: [1, within(1, 256), short],
  cx: [0.5, within(0, 1), short],
  cy: [0.5, within(0, 1), short],
  theme: ["auto", oneOf("auto", "light", "dark"), own],
};

/** A link's properties; what cannot be read is named in `wrong` and keeps its default. */
export const read = hash => {
  const values = Object.fromEntries(Object.entries(PROPERTIES).map(([name, [standard]]) => [name, standard]));
  const wrong = [];
  for (const [name, given] of new URLSearchParams(hash.replace(/^#/, ""))) {
    const value = Object.hasOwn(PROPERTIES, name) ? PROPERTIES[name][1](given) : undefined;
    if (value === undefined) wrong.push(`${name}=${given}`);
    else values[name] = value;
  }
  return { values, wrong };
};

/** The shortest link: only what differs from the defaults. */
export const print = values =>
  Object.entries(PROPERTIES)
    .filter(([name, [standard]]) => JSON.stringify(values[name]) !== JSON.stringify(standard))
    .map(([name, [, , write]]) => `${name}=${encodeURIComponent(write(values[name])).replaceAll("%2C", ",")}`)
    .join("&");

// These are worth a step back in the browser's history.
const STEPS = ["at", "region", "panel", "to", "net", "rules"];

/** The view, the address bar, and who wants to know. */
export class State {
  #values;
  #listeners = [];
  #write = 0;

  constructor() {
    const { values, wrong } = read(location.hash);
    this.#values = values;
    this.wrong = wrong;
    addEventListener("hashchange", () => {
      const next = read(location.hash).values;
      const changed = Object.keys(PROPERTIES).filter(name => JSON.stringify(next[name]) !== JSON.stringify(this.#values[name]));
      this.#values = next;
      if (changed.length) this.#tell(changed);
    });
  }

  get(name) {
    if (!Object.hasOwn(PROPERTIES, name)) throw new Error(`no property ${name}`);
    return this.#values[name];
  }

  set(given) {
    const changed = Object.keys(given).filter(name => JSON.stringify(given[name]) !== JSON.stringify(this.get(name)));
    if (!changed.length) return;
    for (const name of changed) this.#values[name] = given[name];
    const step = changed.some(name => STEPS.includes(name));
    // Sliders and wheels change fast; browsers limit how often an address may.
    clearTimeout(this.#write);
    if (step) this.#address(true);
    else this.#write = setTimeout(() => this.#address(false), 150);
    this.#tell(changed);
  }

  /** `listener(changed: Set of names)`; returns how to stop. */
  watch(listener) {
    this.#listeners.push(listener);
    return () => { this.#listeners = this.#listeners.filter(other => other !== listener); };
  }

  get link() {
    const hash = print(this.#values);
    // Without the search part, where a token may stand: the cookie knows it by now.
    return location.href.split(/[?#]/, 1)[0] + (hash && `#${hash}`);
  }

  #address(step) {
    if (this.link === location.href) return;
    if (step) history.pushState(null, "", this.link);
    else history.replaceState(null, "", this.link);
  }

  #tell(changed) {
    const names = new Set(changed);
    for (const listener of this.#listeners) listener(names);
  }
}

addEventListener("popstate", () => dispatchEvent(new HashChangeEvent("hashchange")));
