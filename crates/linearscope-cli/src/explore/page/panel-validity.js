// How far the linear reading holds: from x₀ towards another picture, the network and its frozen copy side by side.

import { el, choose } from "./dom.js";
import { path } from "./api.js";
import { Field } from "./npy.js";
import { significant, percent } from "./number.js";
import { curve } from "./chart.js";
import { photograph } from "./colour.js";
import { Job } from "./job.js";
import { Picture, Latest, bar, fillTable, key, reason } from "./panel-parts.js";

const NAMES = { black: "black", white: "white", mean: "its mean colour", blur: "a blur of it", noise: "noise", zeros: "zeros", other: "the second picture" };

export const validity = {
  id: "validity", title: "Validity", why: reason("validity"),
  help: "Walk from the picture towards black, a blur or noise: where do f(x) and F x + r diverge?",

  open(stage, root) {
    const { state } = stage;
    let found = null;
    const [chart, said, status, pictures] = [el("div"), el("p.facts"), el("div"), el("div.pictures")];
    const wide = el("div.wide");
    const along = new Latest();
    let shown = [];
    const directions = ["black", "white", "mean", "blur", "noise", "zeros", ...(stage.session.nets.length > 1 ? ["other"] : [])];
    const towards = () => (directions.includes(state.get("towards")) ? state.get("towards") : directions[0]);
    // An export has some parts of the way.
    const by = stage.session.exported?.along ?? 0.01;
    const part = () => Number((Math.round(state.get("t") / by) * by).toFixed(6));
    const slider = el("input", { type: "range", min: "0", max: "1", step: String(by), value: String(state.get("t")), "aria-label": "How far along", oninput: () => state.set({ t: Number(slider.value) }) });
    const sliding = el("span");
    const job = new Job(stage, result => {
      found = result;
      draw();
    });
    const start = () => {
      found = null;
      job.start(path("validity", stage.query({ towards: towards(), to: null })));
      ask();
    };
    root.append(el("p.lead", {}, "The decisions of x₀ are kept while x moves away from it. As long as none of them would flip, F x + r equals f(x) up to rounding; beyond that, they diverge."),
      el("div.row", {}, choose("towards", directions.map(d => [d, NAMES[d] ?? d]), towards(), d => state.set({ towards: d })), el("label.control", {}, sliding, slider), job.node),
      chart, said, status, pictures);

    const draw = () => {
      sliding.textContent = `x₀ + ${significant(part(), 2)} of the way`;
      if (!found) return chart.replaceChildren();
      const points = (found.curve ?? []).map(p => [p.t, p.relative_error]);
      if (points.length) chart.replaceChildren(curve(points, "Relative error of F x + r along the way", "of the way", part(), found.exact_until));
      const flip = found.flips?.[0];
      const exact = found.exact_until;
      said.textContent = [!Number.isFinite(exact) ? "units of this network change gradually: F x + r is exact only at x₀"
        : exact >= 1 ? "exact all the way" : `exact for the first ${percent(exact)} of the way`,
        flip && `the first to flip: ${flip.node} (${flip.what}), at ${percent(flip.t)}`].filter(Boolean).join(" · ");
    };
    const ask = () => {
      draw();
      const [direction, t] = [towards(), part()];
      along.run(signal => stage.api.array(path("along", stage.query({ towards: direction, t, to: null })), { signal }), both => {
        const y0 = stage.output.y0;
        const n = y0.data.length;
        const [f, frozen] = [both.data.subarray(0, n), both.data.subarray(n, 2 * n)].map(data => new Field({ shape: y0.full, data }));
        stage.output.scores ? table(f.data, frozen.data) : planes(f, frozen, both.address);
      }, status);
    };
    const table = (f, frozen) => {
      const top = Array.from(f.keys()).sort((a, b) => f[b] - f[a]).slice(0, 5);
      const rows = [...new Set([...top, ...stage.output.scores.order.slice(0, 3)])];
      const most = Math.max(...rows.flatMap(k => [Math.abs(f[k]), Math.abs(frozen[k])]));
      if (wide.parentNode !== pictures) pictures.replaceChildren(wide);
      const cells = value => [el("td", { data: key(value) }, bar(value, most)), el("td.number", { data: { value } }, significant(value))];
      fillTable(wide, [["class", "text"], ["f(x)", "number"], [""], ["F x + r", "number"], [""]],
        el("tbody.signed", {}, rows.map(k => el("tr", { data: { k } }, el("td", {}, stage.output.scores.name(k)), ...cells(f[k]), ...cells(frozen[k])))));
    };
    const planes = (f, frozen, address) => {
      if (!shown.length) {
        shown = ["f(x), the network", "F x + r, its frozen copy", "Difference: F x + r − f(x)"].map(title => new Picture(stage, "out", title));
        pictures.replaceChildren(...shown.map(picture => picture.node));
      }
      const gap = frozen.minus(f);
      const range = stage.net.output_is_picture && stage.net.output_range;
      [f, frozen, gap].forEach((field, i) => {
        shown[i].show(field, { alone: true, name: ["f(x)", "F x + r", "gap"][i], source: { kind: "along", address } });
        if (range && i < 2) shown[i].plane.colours(photograph(field, range, stage.net.recipe?.channels === "bgr"));
      });
      shown[2].plane.facts.textContent = gap.facts("all").largest === 0 ? "" : `‖gap‖ / ‖f(x)‖ ${percent(Math.sqrt(gap.data.reduce((s, v) => s + v * v, 0) / f.data.reduce((s, v) => s + v * v, 1e-300)))}`;
    };
    start();
    return {
      update(changed) {
        if (changed.has("towards")) start();
        else if (changed.has("t") || changed.has("co")) ask();
      },
      seen: () => shown.forEach(picture => picture.mark()),
      close: () => {
        job.stop();
        along.stop();
        shown.forEach(picture => picture.close());
      },
    };
  },
};
