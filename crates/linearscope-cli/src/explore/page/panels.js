// The panels, one at a time; each is a file. A panel is `{ id, title, why(net), open(stage, root) }`, where `why` says
// why a network has none, and `open` returns `{ update(changed), seen(flashlight), close() }`.

import { el, failure } from "./dom.js";
import { attribution } from "./panel-attribution.js";
import { layers } from "./panel-layers.js";
import { singular } from "./panel-svd.js";
import { votes } from "./panel-votes.js";
import { residual } from "./panel-residual.js";
import { fields } from "./panel-fields.js";
import { validity } from "./panel-validity.js";
import { attack } from "./panel-attack.js";
import { rules } from "./panel-rules.js";
import { compare } from "./panel-compare.js";
import { about } from "./panel-facts.js";

const ALL = [layers, attribution, singular, residual, validity, votes, fields, attack, rules, compare, about];

export class Panels {
  #open = null;

  constructor(stage, root) {
    Object.assign(this, { stage, root });
    this.body = el("div.panel", { role: "tabpanel", id: "panel", tabindex: -1 });
    this.tabs = el("div.tabs", { role: "tablist", "aria-label": "Panels", onkeydown: event => this.#keys(event) });
    root.append(this.tabs, this.body);
    stage.state.watch(changed => {
      if (changed.has("panel")) this.refresh();
      else this.#guard(() => this.#open?.update?.(changed));
    });
    stage.flashlight.watch(seen => this.#guard(() => this.#open?.seen?.(seen)));
  }

  get current() {
    const named = this.stage.state.get("panel");
    return ALL.find(panel => panel.id === named) ?? ALL.find(panel => !panel.why(this.stage)) ?? about;
  }

  step(by) {
    const at = ALL.indexOf(this.current);
    this.stage.state.set({ panel: ALL[(at + by + ALL.length) % ALL.length].id });
  }

  /** Build the open panel anew. */
  refresh() {
    const { stage, current } = this;
    this.tabs.replaceChildren(...ALL.filter(panel => !panel.hidden?.(stage)).map(panel => el("button", {
      type: "button", role: "tab", id: `tab-${panel.id}`, "aria-selected": String(panel === current), "aria-controls": "panel",
      tabindex: panel === current ? 0 : -1, "aria-disabled": panel.why(stage) ? "true" : undefined, "data-help": panel.help,
      onclick: () => stage.state.set({ panel: panel.id }),
    }, panel.title)));
    this.#open?.close?.();
    this.#open = null;
    this.body.setAttribute("aria-labelledby", `tab-${current.id}`);
    this.body.replaceChildren();
    const why = current.why(stage);
    if (why) this.body.append(el("p.lead", {}, why));
    else this.#guard(() => { this.#open = current.open(stage, this.body); });
  }

  // A panel that fails says so in its place; the rest of the page goes on.
  #guard(act) {
    try {
      act();
    } catch (error) {
      this.#open = null;
      this.body.replaceChildren(failure(error));
    }
  }

  #keys(event) {
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (!by) return;
    event.preventDefault();
    this.step(by);
    this.tabs.querySelector("[aria-selected=true]")?.focus();
  }
}
