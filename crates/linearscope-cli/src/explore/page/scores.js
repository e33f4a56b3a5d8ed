// The scores of a classifier as bars: hover a class for its attribution over the photograph; over the input the bars
// are the column of that place, what it adds to each class.

import { el, choose } from "./dom.js";
import { significant } from "./number.js";

const FIRST = 10;

export class Scores {
  constructor(stage, y0, labels) {
    Object.assign(this, { stage, y0: y0.data, labels, column: null, rows: new Map(), filling: false });
    this.order = Array.from(this.y0.keys()).sort((a, b) => this.y0[b] - this.y0[a] || a - b);
    this.list = el("ol.scores", { "aria-label": "Scores, the largest first", onkeydown: event => this.#keys(event) });
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
      method => stage.state.set({ method }), { "aria-label": "What to show for a class over the picture" });
  }

  name(k) {
    return this.labels?.[k] ?? String(k);
  }

  show(column, source) {
    this.column = column?.data ?? null;
    this.source = source;
    this.#fill();
  }

  // Up and down go from class to class.
  #keys(event) {
    const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
    const rows = [...this.list.querySelectorAll("button")];
    const next = by && rows[rows.indexOf(document.activeElement) + by];
    if (!next) return;
    event.preventDefault();
    next.focus();
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

  // The row of a class. Kept.
  #row(k) {
    if (!this.rows.has(k)) {
      const { flashlight } = this.stage;
      const [bar, number] = [el("i"), el("b")];
      const button = el("button", {
        type: "button", data: { k },
        onpointerenter: event => event.pointerType !== "touch" && flashlight.hoverClass(k),
        onfocus: () => !this.filling && flashlight.hoverClass(k),
        onclick: () => flashlight.pin({ side: "out", k }),
      }, el("span.name", {}, this.name(k)), el("span.bar", {}, bar), number);
      this.rows.set(k, { li: el("li", {}, button), button, bar, number });
    }
    return this.rows.get(k);
  }

  #fill() {
    const { stage, column } = this;
    const values = column ?? this.y0;
    const rows = this.listed = [...new Set(this.#rows())];
    // Bars of scores have the largest of all as their measure, so that a search does not change them.
    let most = 0;
    for (const v of values) most = Math.max(most, Math.abs(v));
    const signed = column || rows.some(k => values[k] < 0);
    const pin = stage.state.get("at");
    const current = stage.flashlight?.place;
    this.list.classList.toggle("signed", Boolean(signed));
    const shown = rows.map(k => {
      const { li, button, bar, number } = this.#row(k);
      li.classList.toggle("current", current?.k === k);
      button.dataset.value = values[k];
      button.setAttribute("aria-pressed", String(pin?.k === k));
      bar.className = values[k] < 0 ? "negative" : "positive";
      bar.style.setProperty("--size", most > 0 ? Math.abs(values[k]) / most : 0);
      number.textContent = significant(values[k]);
      return li;
    });
    // Rows stay where they are as long as they can: a new one under a mouse at rest would count as looked at.
    if (shown.length !== this.list.children.length || shown.some((li, i) => li !== this.list.children[i])) {
      const had = this.list.contains(document.activeElement) ? document.activeElement : null;
      this.filling = true;
      this.list.replaceChildren(...shown);
      had?.focus({ preventScroll: true });
      this.filling = false;
    }
    this.caption.textContent = column
      ? "Column: what one unit more at this input place adds to each score." : "Scores y₀ of the network.";
  }
}
