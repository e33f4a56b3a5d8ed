// What all parts of the page share: the view, the server, the network looked at, the planes that zoom together.

export class Stage {
  constructor(state, api, session) {
    Object.assign(this, { state, api, session, planes: new Set() });
    this.helpLine = document.getElementById("help");
  }

  /** The network (or picture) that is looked at, up to the node that is its output, by the rules in use. */
  get net() {
    return this.made ?? this.whole;
  }

  /** The whole of it, as it was started. */
  get whole() {
    return this.session.nets[Math.min(this.state.get("net"), this.session.nets.length - 1)];
  }

  /** The attribution methods there are. */
  methods() {
    const { attribution } = this.net.panels;
    return Array.isArray(attribution) ? attribution : [];
  }

  /** What a method does, in words. */
  methodWords(name) {
    return this.net.panels.attribution_words?.find(method => method.name === name)?.words ?? "";
  }

  /** The one that is chosen; `weights` is the plain row. */
  method() {
    const chosen = this.state.get("method");
    const methods = this.methods();
    if (chosen === "weights" || methods.includes(chosen)) return chosen;
    return methods.includes("conserving") ? "conserving" : methods[0] ?? "weights";
  }

  /** A class by number and name. */
  className(k) {
    const name = this.net.labels?.[k];
    return name === undefined ? `class ${k}` : `${name} (${k})`;
  }

  /**
   * The output that panels ask about: one that is pinned, else the best class or the middle of the picture. As the
   * server takes it, and in words. `one`: a single number, where a place would be the sum of its channels.
   */
  target(one = false) {
    const { state, output, net } = this;
    const at = state.get("at");
    if (at?.side === "out") {
      if (at.k !== undefined) return { text: String(at.k), said: output.scores && !state.get("to") ? this.className(at.k) : `entry ${at.k}` };
      return this.#targetAt(at.y, at.x, "", one);
    }
    if (output.scores) {
      const k = output.scores.order[0];
      return { text: String(k), said: state.get("to") ? `entry ${k}, the largest` : `${this.className(k)}, the best` };
    }
    const [, h, w] = output.y0.full;
    return this.#targetAt(h >> 1, w >> 1, ", the middle", one);
  }

  #targetAt(y, x, which, one) {
    const given = this.state.get("co");
    const chosen = one && ["all", "rgb"].includes(given) && !this.output.labels ? "0" : given;
    const channel = this.output.label({ side: "out", y, x }, chosen) ?? (chosen === "rgb" ? "all" : chosen);
    const said = channel === "all" || this.output.y0.shape[0] === 1 ? "" : this.output.labels ? `${this.className(channel)} at ` : `channel ${channel} at `;
    return { text: `${channel},${y},${x}`, said: `${said}output place (${y}, ${x})${which}` };
  }

  /** What every request carries besides its own: rules, network, the node that is the output. */
  query(own = {}) {
    const { state, session } = this;
    return {
      ...own,
      rules: own.rules ?? state.get("rules"),
      net: own.net ?? (session.nets.length > 1 ? state.get("net") : null),
      // Validity has directions where others have a node.
      to: "to" in own ? own.to : state.get("to"),
    };
  }

  /** The nearest place of which there is a field. */
  snap(place) {
    return this.api.source.snap(place);
  }

  /** How many places apart there are fields, of places of a side. */
  step(side) {
    return this.api.source.step(side);
  }

  /** The same in words; nothing where every place has one. */
  stepWords(side) {
    const step = this.step(side);
    return step > 1 ? ` · ${side === "in" ? "columns" : "rows"} at places ${step} apart` : "";
  }

  /** Zoom and centre of all planes. */
  look(zoom, cx, cy) {
    const half = 0.5 / zoom;
    const inside = centre => Math.min(1 - half, Math.max(half, centre));
    this.state.set(zoom <= 1.001 ? { zoom: 1, cx: 0.5, cy: 0.5 } : { zoom, cx: inside(cx), cy: inside(cy) });
  }

  /** Zoom by a factor; what is under the pointer stays there. */
  zoomAt(factor, plane, { u, v }) {
    const zoom = this.state.get("zoom");
    const next = Math.min(64, Math.max(1, zoom * factor));
    const keep = (at, centre) => {
      const from = Math.min(1 - 1 / zoom, Math.max(0, centre - 0.5 / zoom));
      return at - (at - from) * zoom / next + 0.5 / next;
    };
    this.look(next, keep(u / plane.width, this.state.get("cx")), keep(v / plane.height, this.state.get("cy")));
  }

  /** The one line that says what is under the cursor. */
  help(text) {
    if (this.helpLine.textContent !== text) this.helpLine.textContent = text;
  }
}
