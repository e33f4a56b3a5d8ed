// The field of the cursor asked a second time, in another way: other rules, another network. Shown with the difference.

import { el } from "./dom.js";
import { significant } from "./number.js";
import { Picture, Latest } from "./panel-parts.js";

/**
 * Follows the cursor: `own()` is what the second request has besides, or null for nothing to ask; `title` names it.
 * The classes' columns are listed, planes are drawn.
 */
export class Beside {
  #asked = new Latest();
  #key = "";
  #pictures = [];
  #side = null;

  constructor(stage, own, title) {
    Object.assign(this, { stage, own, title });
    this.status = el("div");
    this.said = el("p.facts");
    this.pictures = el("div.pictures");
    this.node = el("div", {}, this.status, this.said, this.pictures);
  }

  seen() {
    const { flashlight } = this.stage;
    const own = this.own();
    if (!flashlight.field || !flashlight.source || !own) return;
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
      this.said.textContent = `The other is of another size, ${other.full.join(" × ")}.`;
      return;
    }
    const gap = other.minus(field);
    const size = f => Math.sqrt(f.data.reduce((s, v) => s + v * v, 0));
    this.said.textContent = `${source.kind}: cosine ${significant(field.cosine(other), 4)} · ‖difference‖ / ‖this‖ ${significant(size(gap) / size(field), 3)}`;
    if (side === "out" && this.stage.output.scores) return;
    if (this.#side !== side) {
      this.close();
      this.#side = side;
      this.#pictures = [new Picture(this.stage, side, ""), new Picture(this.stage, side, "Difference")];
      this.pictures.replaceChildren(...this.#pictures.map(picture => picture.node));
    }
    const percentile = source.kind === "attribution" ? 99 : 100;
    this.#pictures[0].heading.textContent = this.title();
    this.#pictures[0].show(other, { name: source.kind, percentile, source });
    this.#pictures[1].show(gap, { name: "difference", percentile });
  }

  close() {
    this.#asked.stop();
    this.#pictures.forEach(picture => picture.close());
    this.#pictures = [];
    this.#side = null;
    this.#key = "";
  }
}
