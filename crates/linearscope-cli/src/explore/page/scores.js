// The scores of a classifier as bars: hover a class for its attribution over the photograph; over the input the bars
// are the column of that place, what it adds to each class.

import { el, choose } from "./dom.js";
import { significant } from "./number.js";

const FIRST = 10;

export class Scores {
  constructor(stage, y0, labels) {
    Object.assign(this, { stage, y0: y0.data, labels, column: null });
    this.order = Array.from(this.y0.keys()).sort((a, b) => this.y0[b] - this.y0[a] || a - b);
    this.list = el("ol.scores", { "aria-label": "Scores, the largest first" });
    this.filter = el("input", { type: "search", placeholder: `Find one of ${this.y0.length} classes`, "aria-label": "Find a class", oninput: () => this.#fill() });
    this.caption = el("p.facts");
    this.node = el("div.plane", {}, this.y0.length > FIRST ? this.filter : null, this.list, this.caption);
    this.node.addEventListener("pointerleave", () => stage.help(stage.greeting));
    this.#fill();
  }

  /** By which method classes are shown over the photograph. */
  chooser() {
    const { stage } = this;
    const methods = stage.methods();
    return choose("", [...methods.map(m => [m, m]), ["weights", "weights (row of F)"]], stage.method(),
      method => stage.state.set({ method }), { "aria-label": "What is shown of a class over the photograph" });
  }

  name(k) {
    return this.labels?.[k] ?? String(k);
  }

  show(column, source) {
    this.column = column?.data ?? null;
    this.source = source;
    this.#fill();
  }

  #rows() {
    const sought = this.filter.value.trim().toLowerCase();
    if (sought) return this.order.filter(k => String(k) === sought || this.name(k).toLowerCase().includes(sought)).slice(0, 2 * FIRST);
    const rows = this.order.slice(0, FIRST);
    const pin = this.stage.state.get("at");
    const more = this.column
      ? Array.from(this.column.keys()).sort((a, b) => Math.abs(this.column[b]) - Math.abs(this.column[a])).slice(0, 3) : [];
    return [...rows, ...[pin?.k, ...more].filter(k => k !== undefined && k < this.y0.length && !rows.includes(k))];
  }

  #fill() {
    const { stage, column } = this;
    const values = column ?? this.y0;
    const rows = [...new Set(this.#rows())];
    // Bars of scores have the largest of all as their measure, so that a search does not change them.
    let most = 0;
    for (const v of values) most = Math.max(most, Math.abs(v));
    const signed = column || rows.some(k => values[k] < 0);
    const pin = stage.state.get("at");
    const current = stage.flashlight?.place;
    const had = document.activeElement?.closest?.("ol.scores") === this.list ? Number(document.activeElement.dataset.k) : null;
    this.list.classList.toggle("signed", Boolean(signed));
    this.list.replaceChildren(...rows.map(k => {
      const bar = el(values[k] < 0 ? "i.negative" : "i.positive");
      bar.style.setProperty("--size", most > 0 ? Math.abs(values[k]) / most : 0);
      const row = el("button", {
        type: "button", data: { k, value: values[k] }, "aria-pressed": String(pin?.k === k),
        onpointerenter: event => event.pointerType !== "touch" && stage.flashlight.hoverClass(k),
        onfocus: () => !this.filling && stage.flashlight.hoverClass(k),
        onclick: () => stage.flashlight.pin({ side: "out", k }),
      }, el("span.name", {}, this.name(k)), el("span.bar", {}, bar), el("b", {}, significant(values[k])));
      return el(current?.k === k ? "li.current" : "li", {}, row);
    }));
    // The focus is kept; that is nobody's looking at a class.
    this.filling = true;
    if (had !== null) this.list.querySelector(`[data-k="${had}"]`)?.focus({ preventScroll: true });
    this.filling = false;
    this.caption.textContent = column
      ? "Column: what a unit more at this input place adds to each score." : "Scores y₀ of the network.";
  }
}
