// Pixel votes: for which class each pixel speaks most.

import { el, button } from "./dom.js";
import { path } from "./api.js";
import { ofClass, css } from "./colour.js";
import { count, percent, significant } from "./number.js";
import { Job } from "./job.js";
import { Picture, bar, fillTable, key, reason } from "./panel-parts.js";

const NAMED = 8;

export const votes = {
  id: "votes", title: "Votes", why: reason("votes"),
  help: "Each pixel votes for the class to whose score it adds most.",

  open(stage, root) {
    const [legend, table, abstained] = [el("div.legend"), el("div.wide"), el("p.facts")];
    const picture = new Picture(stage, "in", "Votes, the best classes in colour");
    picture.node.hidden = true;
    const address = path("votes/map", stage.query());
    const job = new Job(stage, async result => {
      const map = await stage.api.array(address);
      draw(map, result);
    });
    root.append(el("p.lead", {}, "Every pixel votes for the class to whose score it adds most. Click a class in the table to see its pixels in the picture."),
      el("div.row", {}, button("count the votes", () => job.start(path("votes", stage.query())), { class: "main" }), job.node),
      el("div.pictures", {}, picture.node, el("div.table", {}, legend, table, abstained)));

    const draw = (map, result) => {
      const classes = result.classes ?? [];
      const named = classes.slice(0, NAMED).map(row => row.class);
      const [, h, w] = map.full;
      const image = new ImageData(w, h);
      map.data.forEach((k, i) => {
        const at = named.indexOf(k);
        // The photograph shows through; where other classes win, or none does, it is all there is.
        if (at >= 0) image.data.set([...ofClass(at).slice(0, 3), 165], 4 * i);
      });
      picture.node.hidden = false;
      picture.plane.size(h, w);
      picture.upon(stage.input.base);
      picture.plane.colours(image);
      picture.plane.numbers = [["class", map, "0"]];
      picture.shown = { kind: "votes", address };
      picture.take.hidden = false;
      legend.replaceChildren(...named.map((k, i) => {
        const swatch = el("i");
        swatch.style.background = css(ofClass(i));
        return el("span", {}, swatch, stage.className(k));
      }));
      const most = Math.max(1, ...classes.map(row => row.votes));
      fillTable(table, [["class", "text"], ["votes", "number"], [""], [""], ["score", "number"]],
        el("tbody", {}, classes.slice(0, 12).map(row => el("tr", {},
          el("td", {}, button(stage.className(row.class), () => stage.flashlight.pin({ side: "out", k: row.class }), { class: "link" })),
          el("td", { data: key(row.votes) }, bar(row.votes, most)), el("td.number", {}, count(row.votes)), el("td.number", {}, percent(row.share)),
          el("td.number", { data: key(row.score) }, Number.isFinite(row.score) ? significant(row.score) : "")))));
      abstained.textContent = result.abstained ? `${count(result.abstained)} pixels abstain: they add the same to all classes.` : "";
    };
    return { seen: () => picture.mark(), close: () => {
      job.stop();
      picture.close();
    } };
  },
};
