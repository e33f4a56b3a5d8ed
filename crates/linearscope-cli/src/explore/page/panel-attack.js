// A small change that moves the decision: before and after, for any ε.

import { el, button } from "./dom.js";
import { path, isStale } from "./api.js";
import { significant } from "./number.js";
import { Beside } from "./beside.js";
import { Job } from "./job.js";
import { Picture, Latest, bar, fillTable, key, reason } from "./panel-parts.js";

export const attack = {
  id: "attack", title: "Attack", why: reason("attack"),
  help: "Change each pixel by at most ε so that the best class loses, and see how the scores change.",

  open(stage, root) {
    const { state } = stage;
    const [said, status] = [el("p.facts"), el("div")];
    const table = el("div.wide");
    const [asked, based] = [new Latest(), new Latest()];
    let done = null;
    const [after, pictures] = [{ said: "" }, {}];
    const picture = new Picture(stage, "in", "What was changed: x′ − x₀");
    picture.node.hidden = true;
    const words = el("span");
    const slider = el("input", { type: "range", min: "0.25", max: "16", step: "0.25", value: String(state.get("eps")), "aria-label": "ε in pixel levels",
      oninput: () => state.set({ eps: Number(slider.value) }) });
    const name = () => { words.textContent = `ε = ${significant(state.get("eps"), 2)} ${unit}`; };
    let unit = stage.net.recipe ? "of 255" : "in the input's unit";
    const job = new Job(stage, found => {
      unit = found.eps_unit === "input" ? "in the input's unit" : "of 255";
      name();
      said.textContent = found.success ? "The best class has changed." : "The best class is unchanged.";
      rows(found);
      done = found.eps ?? state.get("eps");
      after.said = `After the attack, ε = ${significant(done, 2)}`;
      // The first question about that picture freezes the network there. Where it is none, fields are shown alone.
      const at = path("picture/x0.png", stage.query({ attacked: done, to: null }));
      based.run(signal => stage.api.picture(at, { signal }).catch(error => (isStale(error) ? Promise.reject(error) : null)), base => {
        pictures.in = base;
        beside.seen();
      });
      const address = path("attack/picture", stage.query({ eps: found.eps ?? state.get("eps"), to: null }));
      asked.run(signal => stage.api.array(address, { signal }), x => {
        picture.node.hidden = false;
        picture.show(x.minus(stage.input.x0), { alone: true, name: "change", source: { kind: "attack", address, given: { eps: done } } });
      }, status);
    });
    // The network frozen at the picture that the attack made: the cursor's field there.
    const beside = new Beside(stage, () => (done === null ? null : { attacked: done }), () => after.said, side => pictures[side]);
    const start = () => {
      done = null;
      based.stop();
      beside.stop();
      name();
      job.start(path("attack", stage.query({ eps: state.get("eps"), to: null })));
    };
    name();
    root.append(el("p.lead", {}, "One step along the sign of the gradient (FGSM), by at most ε per pixel. The frozen reading of the picture holds until decisions flip."),
      el("div.row", {}, el("label.control", {}, words, slider), button("attack", start, { class: "main" }), job.node), said, status,
      el("div.pictures", {}, el("div.table", {}, table), picture.node), beside.node);
    const rows = ({ before = [], after = [] }) => {
      const scores = new Map(after.map(([k, score]) => [k, score]));
      const classes = [...new Set([...before.slice(0, 5), ...after.slice(0, 5)].map(([k]) => k))];
      const old = new Map(before.map(([k, score]) => [k, score]));
      const most = Math.max(...[...scores.values(), ...old.values()].map(Math.abs));
      const cells = value => [el("td", { data: key(value) }, value === undefined ? null : bar(value, most)), el("td.number", {}, value === undefined ? "–" : significant(value))];
      fillTable(table, [["class", "text"], ["before", "number"], [""], ["after", "number"], [""]],
        el("tbody", { class: [...scores.values(), ...old.values()].some(v => v < 0) ? "signed" : null },
          classes.map(k => el("tr", {}, el("td", {}, stage.className(k)), ...cells(old.get(k) ?? stage.net.scores?.[k]), ...cells(scores.get(k))))));
    };
    let timer = 0;
    return {
      update(changed) {
        if (!changed.has("eps")) return;
        name();
        clearTimeout(timer);
        if (!picture.node.hidden) timer = setTimeout(start, 300);
      },
      seen: () => {
        picture.mark();
        beside.seen();
      },
      close: () => {
        beside.close();
        clearTimeout(timer);
        job.stop();
        asked.stop();
        based.stop();
        picture.close();
      },
    };
  },
};
