// What several panels show: planes with a heading, tables of bars that sort, lists of facts.

import { Plane } from "./plane.js";
import { el, failure } from "./dom.js";
import { isStale } from "./api.js";
import { mark } from "./views.js";
import { takeAlong } from "./save.js";
import { sortable, order, sortAs } from "./sort.js";

/** Why a panel is not there: what the session says of it, if that is not yes. */
export const reason = name => stage => {
  const said = stage.net.panels?.[name];
  if (stage.state.get("to") && ["validity", "attack", "votes"].includes(name))
    return "This needs the whole network: set “output at” back to the end.";
  return typeof said === "string" ? said : said ? null : "Not available for this network.";
};

/** A small plane with heading, linked with the large ones. `side` says whose places it shows. */
export class Picture {
  constructor(stage, side, title) {
    this.stage = stage;
    this.heading = el("h3", {}, title);
    this.plane = new Plane(stage, side, { label: title, small: true });
    this.shown = null;
    this.based = undefined;
    this.take = takeAlong(stage, () => this.plane, () => this.shown);
    this.take.hidden = true;
    this.status = el("div");
    this.node = el("div", {}, this.heading, this.plane.node, this.take, this.status);
    const like = this.like;
    if (like) this.plane.size(like.height, like.width);
  }

  get like() {
    return this.stage.sides[this.plane.side];
  }

  /** Show a field over what the large plane of that side lies on. */
  show(field, { name = "value", choice = this.choice, percentile = 100, alone = false, source = null, facts = "" } = {}) {
    const { stage, plane } = this;
    plane.size(field.full[1], field.full[2]);
    if (this.based === undefined) this.upon((plane.side === "in" ? stage.input.base : stage.output.picture) ?? null);
    plane.show(field, choice, { percentile, alone });
    plane.numbers = [[name, field, choice]];
    plane.facts.textContent = facts;
    this.shown = source;
    this.take.hidden = !source;
    this.mark();
  }

  /** What it lies on. */
  upon(base) {
    if (this.based === base) return;
    this.based = base;
    this.plane.base(base);
  }

  get choice() {
    return this.stage.state.get(this.plane.side === "in" ? "ci" : "co");
  }

  mark() {
    mark(this.stage, this.plane);
  }

  close() {
    this.plane.close();
  }
}

/** Only the newest of several requests matters: `latest(signal => …, done, failed)`. */
export class Latest {
  #controller = null;

  async run(ask, done, root) {
    this.stop();
    const controller = this.#controller = new AbortController();
    try {
      const answer = await ask(controller.signal);
      if (!controller.signal.aborted) {
        root?.replaceChildren();
        await done(answer);
      }
    } catch (error) {
      if (!isStale(error) && !controller.signal.aborted) root?.replaceChildren(failure(error));
    }
  }

  stop() {
    this.#controller?.abort();
  }
}

/** A bar of a signed value, measured by the largest. */
export const bar = (value, most) => {
  const node = el(value < 0 ? "i.negative" : "i.positive");
  node.style.setProperty("--size", most > 0 ? Math.min(1, Math.abs(value) / most) : 0);
  return el("span.bar", {}, node);
};

/**
 * Put a table of bars into `root`. `heads` are `[said, how]`: "number" and "text" make a button of a heading, which sorts
 * by the cells' `data-key`, or else by their text. A table that was there gives way, and its order and focus stay.
 */
export const fillTable = (root, heads, body, tag = "table.bars") => {
  const before = root.querySelector("table");
  const had = before ? [...before.querySelectorAll("button")].indexOf(document.activeElement) : -1;
  const table = el(tag, {}, el("thead", {}, el("tr", {}, heads.map(([said, sort]) => el("th", { scope: "col", data: sort ? { sort } : null }, said)))), body);
  sortable(table);
  const sorted = before && order(before);
  if (sorted) sortAs(table, sorted);
  root.replaceChildren(table);
  if (had >= 0) table.querySelectorAll("button")[had]?.focus({ preventScroll: true });
};

/** What a cell is sorted by; where there is no number, it comes last. */
export const key = value => ({ key: Number.isFinite(value) ? value : "" });

/** `[term, description]` as a list. */
export const list = pairs => el("dl.facts-list", {}, pairs.filter(([, said]) => said !== null && said !== undefined && said !== "")
  .map(([term, said]) => [el("dt", {}, term), el("dd", {}, said)]));
