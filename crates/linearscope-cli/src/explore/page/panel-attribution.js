// Attributions of one output by any method, over the photograph, several beside each other.

import { el, choose } from "./dom.js";
import { path } from "./api.js";
import { significant, time } from "./number.js";
import { Job } from "./job.js";
import { Picture, Latest, list, reason } from "./panel-parts.js";

export const attribution = {
  id: "attribution", title: "Attribution", why: reason("attribution"),
  help: "How much each pixel adds to one output, by any method, and how far the map is from summing to it.",

  open(stage, root) {
    const { state } = stage;
    const lead = el("p.lead");
    const status = el("div");
    const figures = el("div");
    const asked = new Latest();
    const job = new Job(stage, () => fetched());
    const picture = new Picture(stage, "in", "");
    const method = () => (stage.method() === "weights" ? stage.methods()[0] : stage.method());
    const chooser = choose("method", stage.methods().map(m => [m, m]), method(), m => state.set({ method: m }));
    root.append(lead, el("div.row", {}, chooser, job.node), status, el("div.pictures", {}, picture.node, figures));

    let [key, target] = ["", null];
    const ask = () => {
      target = stage.target();
      const query = stage.query({ target: target.text, method: method() });
      if (path("attribution", query) === key) return;
      key = path("attribution", query);
      chooser.querySelector("select").value = method();
      picture.heading.textContent = `${method()}: ${target.said}`;
      lead.textContent = "Orange adds to the output, blue subtracts from it. Move over the map to read it; pin another output, or choose another method.";
      // What was found before is no answer to this.
      picture.plane.show(null);
      picture.plane.facts.textContent = "";
      figures.replaceChildren();
      job.start(path("attribution/job", query));
    };
    // The job's map is there now.
    const fetched = () => asked.run(signal => stage.api.array(key, { signal }), field => {
      picture.show(field, { name: "adds", percentile: 99, source: { kind: "attribution", address: field.address, target: target.text, given: { method: method() } },
        facts: "colours saturate at the 99th percentile" });
      const { sum, score, promised, gap, percent, note, baseline, ms } = field.about;
      const number = text => (text === undefined ? null : significant(Number(text)));
      figures.replaceChildren(list([["output", number(score)], ["sum of the map", number(sum)], ["promised", number(promised)], ["gap", number(gap)],
        ["of what is promised", percent === undefined ? null : `${number(percent)} %`],
        ["method", field.about.method], ["in words", stage.methodWords(method())], ["baseline", baseline], ["note", note], ["computed in", time(Number(ms ?? field.about.round))]]));
    }, status);
    ask();
    return {
      update(changed) {
        if (["at", "method", "co"].some(name => changed.has(name))) ask();
        if (changed.has("ci")) {
          key = "";
          ask();
        }
      },
      seen: () => picture.mark(),
      close: () => {
        job.stop();
        asked.stop();
        picture.close();
      },
    };
  },
};
