// The cursor: which place is looked at, its row or column, and what is pinned, dragged or compared.

import { path, isStale } from "./api.js";

/** How long a request may keep a newer one of the cursor waiting, in ms. */
const PATIENCE = 400;

const same = (a, b) => Boolean(a && b) && a.side === b.side && a.y === b.y && a.x === b.x && a.k === b.k;

export class Flashlight {
  #listeners = [];
  #request = null;
  #ahead = null;
  #slow = 0;

  constructor(stage) {
    Object.assign(this, { stage, cursor: null, reading: null, field: null, other: null, source: null, seen: null, error: null, anchor: null, spoken: false });
    stage.state.watch(changed => {
      if (["at", "region", "second", "ci", "co", "to", "rules", "net", "method"].some(name => changed.has(name))) this.refresh();
    });
  }

  /** `listener({ source, field, other, asked, error, slow })` whenever what is seen changes. */
  watch(listener) {
    this.#listeners.push(listener);
    return () => { this.#listeners = this.#listeners.filter(other => other !== listener); };
  }

  /** The place whose field is shown: what is pinned, else what is under the cursor. */
  get place() {
    const { state } = this.stage;
    return state.get("at") ?? state.get("region") ?? this.cursor;
  }

  get pinned() {
    return Boolean(this.stage.state.get("at") ?? this.stage.state.get("region"));
  }

  hover(plane, { y, x }, event) {
    this.stage.walk?.stop();
    // Numbers are read anywhere, fields where there are some.
    const at = this.pinned ? { side: plane.side, y, x } : this.stage.snap({ side: plane.side, y, x });
    this.reading = at;
    this.spoken = false;
    if (!this.pinned) this.move(at);
    else {
      const pin = this.stage.state.get("at");
      const compares = event?.shiftKey && pin?.side === at.side && !same(pin, at);
      this.stage.help(compares
        ? "Click to keep this place next to the pinned one."
        : "Pinned. The numbers follow the cursor. Click another place to move the pin, Shift + click to compare two, Esc to unpin.");
      this.#tell();
    }
  }

  /** Class `k` of scores is under the cursor. */
  hoverClass(k) {
    this.stage.walk?.stop();
    if (!this.pinned) this.move({ side: "out", k });
  }

  /** Look at a place that is not pinned. */
  move(at) {
    if (same(this.cursor, at)) return;
    this.cursor = at;
    this.refresh(true);
  }

  leave(plane) {
    if (this.reading?.side === plane.side) this.reading = null;
    this.#tell();
  }

  focus(plane) {
    this.stage.focused = plane;
    this.stage.help("Arrow keys move the cursor by a pixel, with Shift by 8. Enter pins. ? shows all keys.");
  }

  click(plane, { y, x }, event) {
    this.stage.walk?.stop();
    this.pin(this.stage.snap({ side: plane.side, y, x }), event.shiftKey);
  }

  /** Pin a place; the pinned one again lets go; `beside` compares it with what is pinned. */
  pin(at, beside = false) {
    const { state } = this.stage;
    const pin = state.get("at");
    if (beside && pin && pin.side === at.side && !same(pin, at)) state.set({ second: same(state.get("second"), at) ? null : at });
    else if (same(pin, at)) this.release();
    else {
      this.cursor = at;
      state.set({ at, region: null, second: null });
    }
  }

  region(plane, box) {
    this.stage.state.set({ region: { side: plane.side, box }, at: null, second: null });
  }

  /** Look at nothing. */
  forget() {
    this.stage.walk?.stop();
    Object.assign(this, { cursor: null, reading: null, field: null, other: null, seen: null, error: null });
  }

  /** Let go of the second place, else of the pin. */
  release() {
    const { state } = this.stage;
    this.anchor = null;
    if (state.get("second")) state.set({ second: null });
    else state.set({ at: null, region: null });
  }

  /** Move by whole entries: the cursor, or what is read while another place is pinned. */
  step(dy, dx) {
    this.stage.walk?.stop();
    const last = this.pinned ? this.reading ?? this.stage.state.get("at") : this.cursor;
    const side = this.stage.focused?.side ?? last?.side ?? "in";
    const plane = this.stage.sides[side] ?? this.stage.sides.in;
    const from = last?.side === plane.side && last.k === undefined ? last : { y: plane.height >> 1, x: plane.width >> 1 };
    const inside = (at, size) => Math.min(size - 1, Math.max(0, at));
    const by = this.pinned ? 1 : this.stage.step(side);
    const to = { side: plane.side, y: inside(from.y + dy * by, plane.height), x: inside(from.x + dx * by, plane.width) };
    const at = this.pinned ? to : this.stage.snap(to);
    this.reading = at;
    this.spoken = true;
    if (!this.pinned) return this.move(at);
    this.stage.help("Pinned. The numbers follow the cursor: Enter moves the pin here, Shift + Enter compares the two, Esc unpins.");
    this.#tell();
  }

  /** By keys: one corner of a region, then the other. */
  corner() {
    const at = this.reading ?? this.place;
    const plane = this.stage.sides[at?.side];
    if (!plane || at.box || at.k !== undefined) return;
    if (this.anchor?.side !== at.side) {
      this.anchor = at;
      this.stage.help(`One corner is (${at.y}, ${at.x}). Move to the other and press r again.`);
      return;
    }
    const [a, b] = [this.anchor, at];
    this.anchor = null;
    this.region(plane, [Math.min(a.y, b.y), Math.min(a.x, b.x), Math.max(a.y, b.y) + 1, Math.max(a.x, b.x) + 1]);
  }

  /** The request for the field of a place, with what it is in words. */
  ask(place, own = {}) {
    if (!place) return null;
    const { stage } = this;
    const { state } = stage;
    const scores = place.k !== undefined;
    const kind = place.side === "in" ? "column" : "row";
    const chosen = state.get(place.side === "in" ? "ci" : "co");
    const channel = scores ? null : stage.output?.label?.(place, chosen) ?? (chosen === "rgb" ? "all" : chosen);
    if (scores && stage.methods().includes(stage.method()) && !state.get("to"))
      return { kind: "attribution", place, address: path("attribution", stage.query({ target: place.k, method: stage.method(), ...own })) };
    const where = scores ? { at: place.k }
      : place.box ? { c: channel, region: place.box.join(",") }
      : { at: `${channel},${place.y},${place.x}` };
    return { kind, place, channel, target: where.at, address: path(kind, stage.query({ ...where, ...own })) };
  }

  /** Ask for what the view says; `hovering` requests replace each other. */
  async refresh(hovering = false) {
    const { stage } = this;
    if (!stage.output?.ready) return;
    this.#ahead?.abort();
    // A cursor that moves faster than rows are computed would never see one: a young request is waited for, and the
    // newest place comes next.
    if (hovering && this.#request?.hovers && performance.now() - this.#request.began < PATIENCE) {
      this.#request.next = true;
      return;
    }
    this.#request?.abort();
    clearTimeout(this.#slow);
    const request = this.#request = Object.assign(new AbortController(), { hovers: hovering, began: performance.now(), next: false });
    const source = this.source = this.ask(this.place);
    this.error = null;
    const beside = this.ask(stage.state.get("second"));
    this.#say();
    if (!source) {
      Object.assign(this, { field: null, other: null });
      this.#request = null;
      this.#tell();
      return;
    }
    const slow = () => {
      this.#tell({ slow: performance.now() - request.began });
      this.#slow = setTimeout(slow, 200);
    };
    this.#slow = setTimeout(slow, 250);
    try {
      const options = { signal: request.signal, hover: hovering };
      const [field, other] = await Promise.all([
        stage.api.array(source.address, options), beside ? stage.api.array(beside.address, { signal: request.signal }) : null]);
      if (request.signal.aborted) return;
      Object.assign(this, { field, other, seen: source });
      this.#tell();
      if (!request.next) this.#fetchAhead(source);
    } catch (error) {
      if (isStale(error) || request.signal.aborted) return;
      Object.assign(this, { field: null, other: null, error });
      this.#tell();
    } finally {
      if (this.#request === request) {
        clearTimeout(this.#slow);
        this.#request = null;
        if (request.next) this.refresh(true);
      }
    }
  }

  // What comes next when the cursor goes on, when nothing else is asked for a moment.
  async #fetchAhead({ place }) {
    if (place.box) return;
    const ahead = this.#ahead = new AbortController();
    await new Promise(done => setTimeout(done, 120));
    for (const at of this.#neighbours(place)) {
      if (ahead.signal.aborted || document.hidden) return;
      // What cannot be had ahead is asked for again, and reported, when it is wanted.
      await this.stage.api.array(this.ask(at).address, { signal: ahead.signal }).catch(() => ahead.abort());
    }
  }

  // The places around one; of classes all that are listed, those next to it first.
  #neighbours(place) {
    const { stage } = this;
    if (place.k !== undefined) {
      const listed = stage.output.scores?.listed ?? [];
      const at = listed.indexOf(place.k);
      const far = k => Math.abs(listed.indexOf(k) - at);
      return listed.filter(k => k !== place.k).sort((a, b) => far(a) - far(b)).map(k => ({ ...place, k }));
    }
    const plane = stage.sides[place.side];
    const by = stage.step(place.side);
    return [[0, by], [by, 0], [0, -by], [-by, 0]].map(([dy, dx]) => ({ ...place, y: place.y + dy, x: place.x + dx }))
      .filter(({ y, x }) => plane && y >= 0 && x >= 0 && y < plane.height && x < plane.width);
  }

  #say() {
    const { place, stage } = this;
    // The cursor's own first steps are not explained: what one can do is.
    if (!place || stage.walk?.going) return stage.help(stage.greeting);
    const pinned = this.pinned;
    const then = pinned ? " Pinned: move over the pictures to read numbers, press Esc to unpin." : " Click to pin, drag for a region.";
    const where = `place (${place.y}, ${place.x})`;
    if (place.side === "in")
      stage.help(`A column of F: what one unit more at ${place.box ? "each place of this input region" : `input ${where}`} adds to each output.${then}`);
    else if (place.k !== undefined)
      stage.help(this.source?.kind === "attribution"
        ? `What each pixel adds to the score of ${stage.className(place.k)}, by ${stage.method()}.${pinned ? then : " Click to pin."}`
        : `A row of F: the weight of each pixel in ${stage.state.get("to") ? `entry ${place.k}` : `the score of ${stage.className(place.k)}`}.${pinned ? then : " Click to pin."}`);
    else stage.help(`A row of F: the weights by which ${place.box ? "the sum of this output region" : `output ${where}`} is made from the input.${then}`);
  }

  #tell(extra = {}) {
    // What is seen is the last field that came, with the question that it answers; what was asked since is `asked`.
    const seen = { source: this.field && this.seen, field: this.field, other: this.other, asked: this.source, error: this.error };
    for (const listener of this.#listeners) listener({ ...seen, ...extra });
  }
}
