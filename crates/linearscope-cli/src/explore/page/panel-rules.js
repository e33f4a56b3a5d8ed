// Another rule set beside the one in use: the same place's field, and what differs.

import { el, choose, button } from "./dom.js";
import { Beside } from "./beside.js";

const SAID = {
  paper: "the paper's: masks for smooth units",
  taylor: "tangents: the row is the gradient",
  mask: "gain h(x₀)/x₀, no constants",
  "std-only": "norms freeze only their standard deviation",
};

export const rules = {
  id: "rules", title: "Rules",
  why: stage => {
    const known = stage.net.panels.rules;
    return Array.isArray(known) && known.length > 1 ? null : typeof known === "string" ? known : "There is only one rule set.";
  },
  help: "How non-linear units are frozen is a choice. See its effect at the cursor.",

  open(stage, root) {
    const { state } = stage;
    const known = stage.net.panels.rules;
    const other = () => (known.includes(state.get("against")) ? state.get("against") : known.find(r => r !== state.get("rules")));
    const beside = new Beside(stage, () => ({ rules: other() }), () => `By ${other()}`);
    root.append(el("p.lead", {}, "Move the cursor: its row or column by the rules in use (above) and by others (here), with the difference."),
      el("div.row", {}, choose("compare with", known.map(r => [r, SAID[r] ? `${r}: ${SAID[r]}` : r]), other(), r => state.set({ against: r })),
        button("use these", () => state.set({ rules: other() }), { "data-help": "Use these rules for the whole page." })),
      beside.node);
    beside.seen();
    return { update: changed => changed.has("against") && beside.seen(), seen: () => beside.seen(), close: () => beside.close() };
  },
};
