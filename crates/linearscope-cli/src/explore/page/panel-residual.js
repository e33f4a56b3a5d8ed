// y₀ = F x₀ + r: what of the output comes from the picture, and what the network adds whatever comes.

import { el } from "./dom.js";
import { path } from "./api.js";
import { significant, percent } from "./number.js";
import { Picture, Latest, bar, fillTable, key } from "./panel-parts.js";

const norm = data => Math.sqrt(data.reduce((sum, v) => sum + v * v, 0));

export const residual = {
  id: "residual", title: "Residual", why: () => null,
  help: "The part of the output that no longer depends on the picture once the decisions are frozen.",

  open(stage, root) {
    const lead = el("p.lead", {}, "y₀ = F x₀ + r: the part that is linear in the picture, and the residual r, which comes from biases only.");
    const [status, figures, pictures] = [el("div"), el("p.facts"), el("div.pictures")];
    const asked = new Latest();
    let shown = [];
    root.append(lead, status, figures, pictures);
    const address = path("array/residual", stage.query());
    asked.run(signal => stage.api.array(address, { signal }), r => {
      const { y0 } = stage.output;
      const linear = y0.minus(r);
      figures.textContent = `‖y₀‖ ${significant(norm(y0.data))} · ‖F x₀‖ ${significant(norm(linear.data))} · ‖r‖ ${significant(norm(r.data))} · ` +
        `‖r‖ / ‖y₀‖ ${percent(norm(r.data) / norm(y0.data))}`;
      if (stage.output.scores) return table(r.data, y0.data);
      shown = [["Residual r", r, { kind: "run", address }], ["F x₀ = y₀ − r", linear, null]].map(([title, field, source]) => {
        const picture = new Picture(stage, "out", title);
        pictures.append(picture.node);
        picture.show(field, { alone: true, name: title.split(" ")[0] === "Residual" ? "r" : "F x₀", source });
        return picture;
      });
    }, status);
    const table = (r, y0) => {
      const rows = stage.output.scores.order.slice(0, 10);
      const most = Math.max(...rows.flatMap(k => [Math.abs(r[k]), Math.abs(y0[k] - r[k])]));
      const wide = el("div.wide");
      pictures.replaceWith(wide);
      const cells = (value, data) => [el("td", { data: key(value) }, bar(value, most)), el("td.number", { data }, significant(value))];
      fillTable(wide, [["class", "text"], ["residual r", "number"], [""], ["F x₀", "number"], [""], ["y₀", "number"]],
        el("tbody.signed", {}, rows.map(k => el("tr", {}, el("td", {}, stage.output.scores.name(k)), ...cells(r[k], { residual: k, value: r[k] }),
          ...cells(y0[k] - r[k]), el("td.number", { data: key(y0[k]) }, significant(y0[k]))))));
    };
    return {
      update: changed => {
        if (changed.has("co")) for (const picture of shown) picture.show(picture.plane.field, { alone: true, name: picture.plane.numbers[0][0], source: picture.shown });
      },
      seen: () => shown.forEach(picture => picture.mark()),
      close: () => {
        asked.stop();
        shown.forEach(picture => picture.close());
      },
    };
  },
};
