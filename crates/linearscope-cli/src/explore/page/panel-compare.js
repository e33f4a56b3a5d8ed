// Two networks, or two pictures: one cursor.

import { el } from "./dom.js";
import { path } from "./api.js";
import { Beside } from "./beside.js";

export const compare = {
  id: "compare", title: "Compare",
  hidden: stage => stage.session.nets.length < 2,
  why: stage => (stage.session.nets.length < 2
    ? "There is nothing to compare: start the program with --compare-model or --compare-input." : null),
  help: "The same cursor in a second network or picture.",

  open(stage, root) {
    const index = () => (stage.state.get("net") === 0 ? 1 : 0);
    const other = stage.session.nets[index()];
    const said = `${other.model} at ${other.input}`;
    const beside = new Beside(stage, () => ({ net: index() }), () => said);
    const photo = el("img", { alt: `The other input, ${other.input}`, src: path("picture/x0.png", { net: index() }) });
    root.append(el("p.lead", {}, `One cursor for both: above ${stage.net.model} at ${stage.net.input}, here ${said}.`),
      other.input_is_picture && other.input !== stage.net.input ? el("div.other", {}, photo) : null ?? "", beside.node);
    beside.seen();
    return { seen: () => beside.seen(), close: () => beside.close() };
  },
};
