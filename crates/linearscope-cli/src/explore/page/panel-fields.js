// How far rows and columns reach, place by place, and from where to where content moves.

import { el, button, toggle } from "./dom.js";
import { path } from "./api.js";
import { Field } from "./npy.js";
import { significant } from "./number.js";
import { Job } from "./job.js";
import { Picture, reason } from "./panel-parts.js";

export const fields = {
  id: "fields", title: "Fields", why: reason("fields"),
  help: "How far the network looks and spreads at each place, and where it copies content from.",

  open(stage, root) {
    const pictures = el("div.pictures");
    const said = el("p.facts");
    let shown = [];
    const job = new Job(stage, found => draw(found));
    root.append(el("p.lead", {}, "Rows and columns over a grid: how far from its own place each one reaches, weighted by its squares. Arrows go from where content comes to where it is put."),
      el("div.row", {}, button("map the fields", () => job.start(path("fields", stage.query())), { class: "main" }), job.node), said, pictures);

    const draw = found => {
      shown.forEach(picture => picture.close());
      const arrows = found.arrows ?? [];
      shown = [["rows", "out", "Radius of rows, in input pixels", "row radius"], ["columns", "in", "Radius of columns, in output pixels", "column radius"]]
        .filter(([key]) => found[key]?.radius?.length).map(([key, side, title, name]) => {
          const { shape, radius } = found[key];
          const picture = new Picture(stage, side, title);
          // Where there is none, nothing is shown.
          const data = Float64Array.from(radius, r => r ?? 0);
          picture.show(new Field({ shape: [1, ...shape], data }), { name, choice: "0", alone: true,
            facts: `from ${significant(Math.min(...data), 3)} to ${significant(Math.max(...data), 3)}` });
          if (picture.like) picture.plane.size(picture.like.height, picture.like.width);
          picture.mark();
          return picture;
        });
      pictures.replaceChildren(...shown.map(picture => picture.node));
      const input = stage.sides.in;
      if (input) input.marks.arrows = arrows;
      input?.draw();
      said.textContent = arrows.length ? `${arrows.length} arrows are drawn over the input: content goes from tail to head.` : "Every row stays near its own place: nothing is copied from afar.";
    };
    return {
      seen: () => shown.forEach(picture => picture.mark()),
      close: () => {
        job.stop();
        shown.forEach(picture => picture.close());
        if (stage.sides.in) stage.sides.in.marks.arrows = [];
        stage.sides.in?.draw();
      },
    };
  },
};
