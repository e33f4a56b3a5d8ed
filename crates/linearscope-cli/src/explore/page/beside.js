// The field of the cursor asked a second time, in another way: other rules, another network. Shown with the difference.

import { el } from "./dom.js";
import { significant } from "./number.js";
import { Picture, Latest, bar, fillTable, key } from "./panel-parts.js";

/**
 * Follows the cursor: `own()` is what the second request has besides, or null for nothing to ask; `title` names it.
 * Columns of scores are listed, planes are drawn, upon `base(side)` where the other has pictures of its own.
 */
export class Beside {
  #asked = new Latest();
  #key = "";
  #pictures = [];
  #side = null;

  constructor(stage, own, title, base = null) {
    Object.assign(this, { stage, own, title, base });
    this.status = el("div");
    this.said = el("p.facts");
    this.pictures = el("div.pictures");
    this.wide = el("div.wide");
    this.node = el("div", {}, this.status, this.said, this.pictures);
  }

  seen() {
    const { flashlight } = this.stage;
    const own = this.own();
    // Only beside what is there to compare it with.
    if (!flashlight.field || flashlight.seen !== flashlight.source || !own) return;
    const source = flashlight.ask(flashlight.place, own);
    const field = flashlight.field;
    const key = `${source.address} ${this.title()} ${this.stage.state.get("ci")} ${this.stage.state.get("co")}`;
    if (key === this.#key) {
      for (const picture of this.#pictures) picture.mark();
      return;
    }
    this.#key = key;
    this.#asked.run(signal => this.stage.api.array(source.address, { signal }), other => this.#draw(field, other, source), this.status);
  }

  #draw(field, other, source) {
    const side = source.kind === "column" ? "out" : "in";
    if (String(field.full) !== String(other.full)) {
      this.said.textContent = `The other one has a different size, ${other.full.join(" × ")}.`;
      return;
    }
    const gap = other.minus(field);
    const size = f => Math.sqrt(f.data.reduce((s, v) => s + v * v, 0));
    this.said.textContent = `${source.kind}: cosine ${significant(field.cosine(other), 4)} · ‖difference‖ / ‖this‖ ${significant(size(gap) / size(field), 3)}`;
    if (side === "out" && this.stage.output.scores) return this.#list(field.data, other.data);
    if (this.#side !== side) {
      this.close();
      this.#side = side;
      this.#pictures = [new Picture(this.stage, side, ""), new Picture(this.stage, side, "Difference")];
      this.pictures.replaceChildren(...this.#pictures.map(picture => picture.node));
    }
    const percentile = source.kind === "attribution" ? 99 : 100;
    const base = this.base?.(side);
    if (base) for (const picture of this.#pictures) picture.upon(base);
    this.#pictures[0].heading.textContent = this.title();
    this.#pictures[0].show(other, { name: source.kind, percentile, source });
    this.#pictures[1].show(gap, { name: "difference", percentile });
  }

  // The classes that either moves most.
  #list(mine, theirs) {
    this.close();
    const { scores } = this.stage.output;
    const most = values => Array.from(values.keys()).sort((a, b) => Math.abs(values[b]) - Math.abs(values[a])).slice(0, 5);
    const rows = [...new Set([...scores.order.slice(0, 5), ...most(mine), ...most(theirs)])];
    const largest = Math.max(...rows.flatMap(k => [Math.abs(mine[k]), Math.abs(theirs[k])]));
    if (this.wide.parentNode !== this.pictures) this.pictures.replaceChildren(this.wide);
    fillTable(this.wide, [["class", "text"], ["above", "number"], [""], [this.title(), "number"], [""]],
      el("tbody.signed", {}, rows.map(k => el("tr", {}, el("td", {}, scores.name(k)), ...[mine, theirs].map(values =>
        [el("td", { data: key(values[k]) }, bar(values[k], largest)), el("td.number", {}, significant(values[k]))])))));
  }

  /** Ask for nothing; what is shown stays until something is asked again. */
  stop() {
    this.#asked.stop();
    this.#key = "";
  }

  close() {
    this.stop();
    this.#pictures.forEach(picture => picture.close());
    this.#pictures = [];
    this.#side = null;
  }
}
