// How far rows and columns reach, place by place, and from where to where content moves.

import { el, button } from "./dom.js";
import { path } from "./api.js";
import { Field } from "./npy.js";
import { significant, percent } from "./number.js";
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
    root.append(el("p.lead", {}, "Rows over a grid of output places: how far from its own place each one reaches, and where it gets its content from. Arrows go from there to the place. Columns over a grid of input places: how far each one spreads over the output."),
      el("div.row", {}, button("map the fields", () => job.start(path("fields", stage.query())), { class: "main" }), job.node), said, pictures);

    const draw = found => {
      shown.forEach(picture => picture.close());
      const { columns } = found;
      const grids = { out: [1, found.y.length, found.x.length], in: [1, columns.y.length, columns.x.length] };
      const radii = (side, of, values, unit) => found.shares.map((share, i) => [side, `Radius that contains ${percent(share)} of a ${of}`, values[i], "radius", unit]);
      const maps = [...radii("out", "row", found.row_radii, " input pixels"), ["out", "Share of a row far from its own place", found.off_diagonal, "share", ""],
        ...radii("in", "column", columns.radii, " output pixels")];
      shown = maps.map(([side, title, values, name, unit]) => {
        const picture = new Picture(stage, side, title);
        // Where there is none, nothing is shown.
        const data = Float64Array.from(values, value => value ?? 0);
        const known = values.filter(value => value !== null);
        picture.show(new Field({ shape: grids[side], data }), { name, choice: "0", alone: true,
          facts: known.length ? `${significant(Math.min(...known), 3)} to ${significant(Math.max(...known), 3)}${unit}` : "" });
        if (picture.like) picture.plane.size(picture.like.height, picture.like.width);
        picture.mark();
        return picture;
      });
      pictures.replaceChildren(...shown.map(picture => picture.node));
      const arrows = found.arrows ?? [];
      if (stage.sides.in) stage.sides.in.marks.arrows = arrows;
      stage.sides.in?.draw();
      said.textContent = arrows.length ? `${arrows.length} ${arrows.length === 1 ? "arrow is" : "arrows are"} drawn over the input, from where content comes to where it is put.`
        : "Every row stays near its own place: nothing is copied from far away.";
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
