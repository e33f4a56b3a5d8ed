// Contributions by layer: how much of a score each layer adds; what it adds, back-projected; the layer as the output.

import { el, button } from "./dom.js";
import { path } from "./api.js";
import { significant, percent } from "./number.js";
import { Picture, Latest, bar, fillTable, key, reason } from "./panel-parts.js";

export const layers = {
  id: "layers", title: "Layers", why: reason("contributions"),
  help: "What each layer adds to one output. They sum to it exactly.",

  open(stage, root) {
    const { state } = stage;
    const lead = el("p.lead");
    const status = el("div");
    const table = el("div.wide");
    const pictures = el("div.pictures");
    const [asked, asks] = [new Latest(), new Latest()];
    let [target, picture, found] = [null, null, null];
    root.append(lead, status, table, pictures);

    const rows = () => {
      const most = Math.max(...found.layers.map(l => Math.abs(l.value)));
      const nodes = new Set(stage.net.nodes ?? []);
      const chosen = state.get("layer");
      // By their headings, layers go back to the network's order.
      fillTable(table, [["layer", "number"], ["adds", "number"], [""], ["share", "number"], [""]],
        el("tbody", { class: found.layers.some(l => l.value < 0) ? "signed" : null }, found.layers.map((l, i) => el("tr", { "aria-current": String(l.name === chosen) },
          el("td", { data: key(i) }, button(l.name, () => state.set({ layer: l.name === chosen ? null : l.name }), {
            class: "link", "data-help": `What ${l.name} adds to ${target.said}, back-projected to the input. Click to see it.` })),
          el("td", { data: key(l.value) }, bar(l.value, most)),
          el("td.number", { data: { layer: l.name, value: l.value } }, significant(l.value)),
          el("td.number", { data: key(l.share) }, percent(l.share)),
          el("td", {}, nodes.has(l.name) ? button("as output", () => state.set({ to: l.name, at: null, region: null, second: null, co: "all" }), {
            "data-help": `Make ${l.name} the output; rows, columns and singular vectors then describe the network up to it.` }) : null)))), "table.bars.wide-bars");
    };

    const show = () => asks.run(signal => {
      const name = state.get("layer");
      if (!name || !found?.layers.some(l => l.name === name)) return null;
      return stage.api.array(path("layer", stage.query({ name, target: target.text })), { signal });
    }, field => {
      if (!field) {
        picture?.close();
        picture = null;
        pictures.replaceChildren();
        return;
      }
      if (!picture) pictures.replaceChildren((picture = new Picture(stage, "in", "")).node);
      const layer = found.layers.find(l => l.name === state.get("layer"));
      picture.heading.textContent = `What ${layer.name} adds, by place`;
      picture.show(field, { name: "adds", percentile: 99, source: { kind: "layer", address: field.address, given: { name, target: target.text } },
        facts: `${significant(layer.value)} of ${significant(found.score)}` });
    }, status);

    const ask = () => {
      const next = stage.target(true);
      if (next.text === target?.text) return;
      target = next;
      lead.textContent = `${target.said}: asking …`;
      asked.run(signal => stage.api.job(path("contributions", stage.query({ target: target.text })), { signal }), answer => {
        found = answer;
        lead.textContent = `${target.said} = ${significant(found.score)} is the sum of what the input and each layer's constants add. ` +
          "Click a layer to see where; pin another output for its sum.";
        rows();
        show();
      }, status).then(() => {
        if (!status.firstChild) return;
        // What was found of another output is no answer.
        lead.textContent = target.said;
        found = null;
        picture?.close();
        picture = null;
        table.replaceChildren();
        pictures.replaceChildren();
      });
    };
    ask();
    return {
      update(changed) {
        if (changed.has("at") || changed.has("co")) ask();
        if (changed.has("layer") && found) {
          rows();
          show();
        }
        if (changed.has("ci")) show();
      },
      seen: () => picture?.mark(),
      close: () => {
        asked.stop();
        asks.stop();
        picture?.close();
      },
    };
  },
};
