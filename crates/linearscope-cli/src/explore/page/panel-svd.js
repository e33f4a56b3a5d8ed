// Singular values as a chart, a pair full size, and what passes with the first of them.

import { el, button, failure } from "./dom.js";
import { path } from "./api.js";
import { significant } from "./number.js";
import { bars } from "./chart.js";
import { Job } from "./job.js";
import { Picture, Latest, reason } from "./panel-parts.js";

export const singular = {
  id: "svd", title: "Singular vectors", why: reason("svd"),
  help: "What the network passes on most strongly: eigen-inputs v, eigen-outputs u, and their gains σ.",

  open(stage, root) {
    const { state } = stage;
    let found = null;
    const chart = el("div");
    const said = el("p.facts");
    const status = el("div");
    const vectors = stage.output.scores ? null : new Picture(stage, "out", "Eigen-output u");
    const eigen = new Picture(stage, "in", "Eigen-input v");
    const passes = stage.output.scores ? null : new Picture(stage, "out", "What passes");
    const pictures = el("div.pictures", { hidden: true }, eigen.node, vectors?.node, passes?.node);
    const scores = el("p.facts");
    const [pairs, sums] = [new Latest(), new Latest()];
    const k = () => Math.min(64, state.get("k"));

    const number = el("input", { type: "number", min: "1", max: "64", value: String(k()), "aria-label": "How many pairs",
      onchange: () => state.set({ k: Math.min(64, Math.max(1, Math.round(Number(number.value)) || 8)) }) });
    const begin = button("compute", () => start(), { class: "main" });
    const slider = el("input", { type: "range", min: "0", max: "1", step: "1", "aria-label": "How many pairs pass", oninput: () => state.set({ pairs: Number(slider.value) }) });
    const sliding = el("label.control", { hidden: true }, el("span"), slider);
    const job = new Job(stage, result => {
      found = result;
      draw();
    });
    const start = () => job.start(path("svd", stage.query({ k: k() })));
    root.append(
      el("p.lead", {}, "F = U Σ Vᵀ: the pairs with the largest gains σ. Click a bar for its pair; the slider sets how many of the first pairs to add up, and shows what they pass of x₀."),
      el("div.row", {}, el("label.control", {}, "pairs ", number), begin, job.node), chart, said, el("div.row", {}, sliding), status, pictures, scores);

    const one = i => {
      const { sigma } = found;
      pairs.run(signal => Promise.all(["v", "u"].map(side => stage.api.array(path(`svd/${side}`, stage.query({ k: k(), i })), { signal }))), ([v, u]) => {
        const given = which => ({ source: { kind: "svd", address: path(`svd/${which}`, stage.query({ k: k(), i })), given: { k: k() } }, name: which, alone: true });
        eigen.heading.textContent = `Eigen-input v, pair ${i + 1}`;
        eigen.show(v, { ...given("v"), facts: [`σ = ${significant(sigma[i])}`, found.of_x0 && `vᵀx₀ = ${significant(found.of_x0[i])}`].filter(Boolean).join(" · ") });
        if (vectors) {
          vectors.heading.textContent = `Eigen-output u, pair ${i + 1}`;
          vectors.show(u, { ...given("u"), facts: `F v = σ u` });
        } else {
          const order = Array.from(u.data.keys()).sort((a, b) => Math.abs(u.data[b]) - Math.abs(u.data[a])).slice(0, 5);
          scores.textContent = `u, pair ${i + 1}: ${order.map(c => `${stage.className(c)} ${significant(u.data[c], 3)}`).join(" · ")}`;
        }
      }, status);
    };
    const sum = () => {
      const most = found.sigma.length;
      const count = Math.min(most, state.get("pairs"));
      Object.assign(slider, { max: most, value: count });
      sliding.hidden = false;
      sliding.firstChild.textContent = `pairs that pass: ${count} of ${most}`;
      if (!passes) return;
      sums.run(signal => stage.api.array(path("svd/sum", stage.query({ k: k(), pairs: count })), { signal }), field => {
        passes.heading.textContent = `What passes with ${count} ${count === 1 ? "pair" : "pairs"}: Σ σ u vᵀx₀`;
        passes.show(field, { name: "passes", alone: true, source: { kind: "svd", address: field.address, given: { k: k() } } });
      }, status);
    };
    const draw = () => {
      if (!found?.sigma?.length) {
        chart.replaceChildren(failure({ message: "No pairs were found.", hint: "F may be 0 here; the residual holds all of the output." }));
        return;
      }
      const i = Math.min(found.sigma.length - 1, state.get("pair"));
      const had = chart.contains(document.activeElement);
      chart.replaceChildren(bars(found.sigma, "Singular values; use the arrow keys to move between them", "pair", i, next => state.set({ pair: next })));
      if (had) chart.querySelector("[aria-pressed=true]")?.focus();
      const worst = found.residuals?.length ? Math.max(...found.residuals) : null;
      said.textContent = [`σ from ${significant(found.sigma[0])} to ${significant(found.sigma.at(-1))}`,
        found.products && `${found.products} products`, worst !== null && `largest residual ${significant(worst, 2)} of σ₁`,
        found.converged === false && (found.why ?? "not all converged")].filter(Boolean).join(" · ");
      pictures.hidden = false;
      one(i);
      sum();
    };
    // A link to a pair means its pictures.
    if (state.get("pair") > 0 || state.get("pairs") > 1) start();
    return {
      update(changed) {
        if (changed.has("k")) {
          job.stop();
          found = null;
          number.value = String(k());
          chart.replaceChildren();
          pictures.hidden = sliding.hidden = true;
        }
        if (!found) return;
        if (changed.has("pair") || changed.has("ci") || changed.has("co")) draw();
        else if (changed.has("pairs")) sum();
      },
      seen: () => [eigen, vectors, passes].forEach(picture => picture?.mark()),
      close: () => {
        [job, pairs, sums].forEach(asked => asked.stop());
        [eigen, vectors, passes].forEach(picture => picture?.close());
      },
    };
  },
};
