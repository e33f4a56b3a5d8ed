// Two networks, or two pictures: one cursor.

import { el } from "./dom.js";
import { path } from "./api.js";
import { Beside } from "./beside.js";

export const compare = {
  id: "compare", title: "Compare",
  hidden: stage => stage.session.nets.length < 2,
  why: stage => (stage.session.nets.length < 2
    ? "Nothing to compare. Start the program with --compare-model or --compare-input." : null),
  help: "The same cursor in a second network or picture.",

  open(stage, root) {
    const net = stage.state.get("net") === 0 ? 1 : 0;
    const other = stage.session.nets[net];
    const said = `${other.model} at ${other.input}`;
    const pictures = {};
    const beside = new Beside(stage, () => ({ net }), () => said, side => pictures[side]);
    root.append(el("p.lead", {}, `One cursor for both: above ${stage.net.model} at ${stage.net.input}, here ${said}.`), beside.node);
    const own = (side, name, is) => (is ? stage.api.picture(path(`picture/${name}.png`, stage.query({ net }))).then(picture => { pictures[side] = picture; }) : null);
    // Without its picture a field is shown alone.
    Promise.allSettled([own("in", "x0", other.input_is_picture), own("out", "y0", other.output_is_picture && !stage.state.get("to"))]).then(() => beside.seen());
    return { seen: () => beside.seen(), close: () => beside.close() };
  },
};
