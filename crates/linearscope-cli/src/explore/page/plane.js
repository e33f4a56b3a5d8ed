// A picture or an array on a canvas: zoomed and panned with all others of the page, pixels as squares, marks at
// places, the value under the cursor in numbers, its scale beneath.

import { el } from "./dom.js";
import { paint, scaleOf, diverging, css } from "./colour.js";
import { significant } from "./number.js";

const canvasOf = image => {
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [image.width, image.height];
  const context = canvas.getContext("2d");
  if (image instanceof ImageData) context.putImageData(image, 0, 0);
  else context.drawImage(image, 0, 0);
  return canvas;
};

// A photograph beneath an overlay is grey and a little faint, so that colours are those of the field.
const greyOf = base => {
  const canvas = canvasOf(base);
  const context = canvas.getContext("2d");
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const { data } = image;
  for (let i = 0; i < data.length; i += 4) {
    const luma = 0.299 * data[i] + 0.587 * data[i + 1] + 0.114 * data[i + 2];
    data[i] = data[i + 1] = data[i + 2] = 64 + 0.75 * luma;
  }
  context.putImageData(image, 0, 0);
  return canvas;
};

/**
 * One canvas. `side` says whose places it shows (`in`, `out`); `look` is called with what happens at them:
 * `look.hover(plane, y, x, event)`, `look.leave()`, `look.click(…)`, `look.drag(plane, [y0, x0, y1, x1])`.
 */
export class Plane {
  #base = null;
  #grey = null;
  #field = null;
  #drawn = null;
  #key = "";
  #down = null;
  #frame = 0;

  constructor(stage, side, { label, small = false }) {
    Object.assign(this, { stage, side, label, height: 1, width: 1, choice: "all", percentile: 100, marks: {} });
    this.canvas = el("canvas", {
      tabindex: 0, role: "img", "aria-label": label, data: { side },
      onpointermove: event => this.#move(event), onpointerleave: () => this.#leave(),
      onpointerdown: event => this.#press(event), onpointerup: event => this.#release(event),
      onpointercancel: () => { this.#down = null; }, onauxclick: event => event.preventDefault(),
    });
    this.canvas.addEventListener("wheel", event => this.#wheel(event), { passive: false });
    this.canvas.addEventListener("focus", () => stage.flashlight.focus(this));
    this.readout = el("p.readout", { "aria-live": "off" });
    this.facts = el("p.facts");
    this.scale = el("div.scale");
    this.lenses = el("div.lenses");
    this.frame = el(small ? "div.frame.small" : "div.frame", {}, this.canvas);
    this.node = el("div.plane", {}, this.frame,
      el("div.foot", {}, this.lenses, el("div.figures", {}, this.scale, this.readout, this.facts)));
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.canvas);
    stage.planes.add(this);
  }

  close() {
    this.resized.disconnect();
    this.stage.planes.delete(this);
  }

  /** How many rows and columns the whole has. */
  size(height, width) {
    [this.height, this.width] = [height, width];
    this.frame.style.setProperty("--aspect", width / height);
    this.draw();
  }

  /** What lies beneath: a picture's pixels, or null. */
  base(image) {
    this.#base = image && canvasOf(image);
    this.#grey = null;
    this.draw();
  }

  /** The array shown, or null; `choice` of its channels; `percentile` of magnitudes from which colour is full. */
  show(field, choice = "all", { percentile = 100, alone = false } = {}) {
    Object.assign(this, { choice, percentile, alone });
    this.#field = field;
    this.draw();
  }

  get field() {
    return this.#field;
  }

  /** Pixels that are classes, or anything else coloured already. */
  colours(image) {
    this.#drawn = image && canvasOf(image);
    this.#key = image ? "given" : "";
    this.#field = null;
    this.draw();
  }

  /** The magnitude that has full colour now. */
  get full() {
    if (!this.#field) return 0;
    const own = () => {
      this.#field.scales ??= new Map();
      const key = `${this.choice} ${this.percentile}`;
      const plane = this.choice === "rgb" ? this.#field.data : this.#field.plane(this.choice);
      if (!this.#field.scales.has(key)) this.#field.scales.set(key, scaleOf(plane, this.percentile));
      return this.#field.scales.get(key);
    };
    return this.#lock() ?? own();
  }

  // A locked scale is for fields that compare; what stands alone has its own.
  #lock() {
    return this.alone ? null : this.stage.state.get("lock");
  }

  /** The numbers at a place: of each of `numbers`, `[name, field, choice]`; the choice may hang on the place. */
  read(at) {
    if (!at) {
      this.readout.replaceChildren();
      return;
    }
    const said = [el("span.place", {}, `y ${at.y}, x ${at.x}`)];
    for (const [name, field, choice] of this.numbers ?? []) {
      if (!field) continue;
      // An array of another size than the plane is read where it lies.
      const [y, x] = [Math.floor(at.y * field.full[1] / this.height), Math.floor(at.x * field.full[2] / this.width)];
      const values = field.values(typeof choice === "function" ? choice(y, x) : choice, y, x);
      said.push(" · ", el("span", {}, `${name} `,
        el("b", { data: { name, value: values.join(" ") } }, values.map(v => significant(v)).join("  "))));
    }
    this.readout.replaceChildren(...said);
  }

  /** Fields magnified beneath the plane: `[label, field]` each. */
  magnify(...shown) {
    this.lenses.replaceChildren(...shown.filter(([, field]) => field).map(([label, field]) => {
      const core = field.within(this.#field.core(this.choice === "rgb" ? "all" : this.choice));
      const canvas = canvasOf(paint(core, this.choice, this.full, { log: this.stage.state.get("log") }));
      canvas.style.setProperty("aspect-ratio", `${canvas.width} / ${canvas.height}`);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", `${label}, magnified`);
      canvas.classList.toggle("tall", canvas.height > canvas.width);
      return el("figure.lens", {}, canvas, el("figcaption", {}, label));
    }));
  }

  draw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      this.#draw();
    });
  }

  /** What is drawn without zoom or marks, a pixel an entry: for saving. */
  flat() {
    const canvas = document.createElement("canvas");
    [canvas.width, canvas.height] = [this.width, this.height];
    const context = canvas.getContext("2d");
    context.imageSmoothingEnabled = false;
    this.#layers(context);
    return canvas;
  }

  #over() {
    return Boolean(this.#base) && !this.alone && this.stage.state.get("over") && this.choice !== "rgb";
  }

  #layers(context) {
    const field = this.#field;
    const over = field && this.#over();
    if (field && !over) {
      const zero = this.choice === "rgb" && field.shape[0] === 3 ? [128, 128, 128] : diverging(0);
      context.fillStyle = css(zero);
      context.fillRect(0, 0, this.width, this.height);
    } else if (this.#base) {
      const beneath = field || this.#key === "given";
      if (beneath) this.#grey ??= greyOf(this.#base);
      context.drawImage(beneath ? this.#grey : this.#base, 0, 0, this.width, this.height);
    }
    if (field) {
      const [full, log] = [this.full, this.stage.state.get("log")];
      const key = [field.id ??= ++Plane.fields, this.choice, full, log, over].join();
      if (key !== this.#key) {
        this.#drawn = canvasOf(paint(field, this.choice, full, { log, over }));
        this.#key = key;
      }
      const { y, x, h, w } = field.window;
      // An array may be coarser or finer than what it lies on.
      const [v, u] = [this.height / field.full[1], this.width / field.full[2]];
      context.drawImage(this.#drawn, x * u, y * v, w * u, h * v);
    } else if (this.#key === "given" && this.#drawn) {
      context.drawImage(this.#drawn, 0, 0, this.width, this.height);
    }
  }

  // Canvas pixels an entry, and where entry 0,0 begins.
  #view() {
    const zoom = this.stage.state.get("zoom");
    const size = this.canvas.width / this.width * zoom;
    const from = (centre, span, shown) => Math.min(span - shown, Math.max(0, centre * span - shown / 2));
    return {
      size,
      x: from(this.stage.state.get("cx"), this.width, this.width / zoom),
      y: from(this.stage.state.get("cy"), this.height, this.height / zoom),
    };
  }

  #draw() {
    const box = this.canvas.getBoundingClientRect();
    if (!box.width) return;
    const dots = devicePixelRatio || 1;
    const [w, h] = [Math.round(box.width * dots), Math.round(box.height * dots)];
    if (this.canvas.width !== w || this.canvas.height !== h) [this.canvas.width, this.canvas.height] = [w, h];
    const context = this.canvas.getContext("2d");
    const { size, x, y } = this.#view();
    context.setTransform(1, 0, 0, 1, 0, 0);
    context.clearRect(0, 0, w, h);
    context.setTransform(size, 0, 0, size, -x * size, -y * size);
    context.imageSmoothingEnabled = size < 1;
    context.imageSmoothingQuality = "high";
    this.#layers(context);
    context.setTransform(dots, 0, 0, dots, 0, 0);
    this.#mark(context, (v, u) => [(u - x) * size / dots, (v - y) * size / dots], size / dots);
    this.#legend();
  }

  #mark(context, place, size) {
    // Black within white: seen upon anything.
    const twice = draw => {
      for (const [width, colour] of [[3.5, "#ffffffd0"], [1.5, "#000000"]]) {
        context.lineWidth = width;
        context.strokeStyle = colour;
        context.beginPath();
        draw();
        context.stroke();
      }
    };
    const { cursor, pin, second, region, twin } = this.marks;
    const spot = ({ y, x }) => place(y + 0.5, x + 0.5);
    if (cursor) {
      const [u, v] = spot(cursor);
      const gap = Math.max(5, size * 0.75);
      twice(() => {
        for (const [dx, dy] of [[1, 0], [-1, 0], [0, 1], [0, -1]]) {
          context.moveTo(u + dx * gap, v + dy * gap);
          context.lineTo(u + dx * (gap + 9), v + dy * (gap + 9));
        }
        // The cell that the place stands for.
        const cell = size * this.stage.step(this.side);
        if (cell >= 6) context.rect(u - cell / 2, v - cell / 2, cell, cell);
      });
    }
    if (twin) {
      const [u, v] = spot(twin);
      twice(() => context.arc(u, v, 3, 0, 7));
    }
    for (const [mark, dashed] of [[pin, false], [second, true]]) {
      if (!mark) continue;
      const [u, v] = spot(mark);
      context.setLineDash(dashed ? [3, 2] : []);
      twice(() => context.arc(u, v, Math.max(6, size * 0.8), 0, 7));
      context.setLineDash([]);
    }
    const window = this.#field && this.#field.shape[1] && !this.alone ? this.#field.core(this.choice === "rgb" ? "all" : this.choice) : null;
    if (window && window.h * window.w > 0 && window.h * window.w < 0.1 * this.height * this.width) this.#corners(context, twice, place, window);
    if (region) {
      const [[u0, v0], [u1, v1]] = [place(region[0], region[1]), place(region[2], region[3])];
      twice(() => context.rect(u0, v0, u1 - u0, v1 - v0));
    }
    for (const { from, to } of this.marks.arrows ?? []) {
      const [[u0, v0], [u1, v1]] = [place(from[0] + 0.5, from[1] + 0.5), place(to[0] + 0.5, to[1] + 0.5)];
      const angle = Math.atan2(v1 - v0, u1 - u0);
      twice(() => {
        context.moveTo(u0, v0);
        context.lineTo(u1, v1);
        for (const turn of [2.6, -2.6]) {
          context.moveTo(u1, v1);
          context.lineTo(u1 + 6 * Math.cos(angle + turn), v1 + 6 * Math.sin(angle + turn));
        }
      });
    }
  }

  // Corners around a small field, so that one finds it.
  #corners(context, twice, place, { y, x, h, w }) {
    const [v, u] = [this.height / this.#field.full[1], this.width / this.#field.full[2]];
    const [[left, top], [right, bottom]] = [place(y * v, x * u), place((y + h) * v, (x + w) * u)];
    const [arm, off] = [7, 5];
    twice(() => {
      for (const [cx, cy, dx, dy] of [[left - off, top - off, 1, 1], [right + off, top - off, -1, 1], [left - off, bottom + off, 1, -1], [right + off, bottom + off, -1, -1]]) {
        context.moveTo(cx + dx * arm, cy);
        context.lineTo(cx, cy);
        context.lineTo(cx, cy + dy * arm);
      }
    });
  }

  #legend() {
    const full = this.full;
    const rgb = this.choice === "rgb";
    const key = this.#field ? [full, rgb, this.#over(), this.#lock() !== null, this.stage.state.get("log")].join() : "";
    if (this.scale.dataset.key === key) return;
    this.scale.dataset.key = key;
    this.scale.replaceChildren();
    this.scale.removeAttribute("role");
    this.scale.removeAttribute("aria-label");
    if (!this.#field) return;
    if (full === 0) {
      this.scale.append(el("span.zero", {}, "all entries are 0"));
      return;
    }
    const ramp = el(rgb ? "i.ramp.grey" : this.#over() ? "i.ramp.over" : "i.ramp.plain");
    const locked = this.#lock() !== null ? " locked" : "";
    const log = this.stage.state.get("log") ? "log" : "0";
    this.scale.append(ramp, el("span", {}, significant(-full, 3)), el("span", {}, log), el("span", {}, significant(full, 3) + locked));
    this.scale.dataset.full = full;
    this.scale.setAttribute("role", "img");
    this.scale.setAttribute("aria-label", `colours from ${significant(-full, 3)} to ${significant(full, 3)}`);
  }

  /** The place under a pointer, and where that is in the plane with fractions. */
  place(event) {
    const box = this.canvas.getBoundingClientRect();
    const { size, x, y } = this.#view();
    const dots = this.canvas.width / box.width;
    const [u, v] = [x + (event.clientX - box.left) * dots / size, y + (event.clientY - box.top) * dots / size];
    const inside = (at, length) => Math.min(length - 1, Math.max(0, Math.floor(at)));
    return { y: inside(v, this.height), x: inside(u, this.width), v, u };
  }

  #move(event) {
    const at = this.place(event);
    const down = this.#down;
    if (!down) {
      if (event.pointerType !== "touch") this.stage.flashlight.hover(this, at, event);
      return;
    }
    if (Math.hypot(event.clientX - down.clientX, event.clientY - down.clientY) > 4) down.moved = true;
    if (!down.moved) return;
    if (down.pans) {
      const zoom = this.stage.state.get("zoom");
      const box = this.canvas.getBoundingClientRect();
      this.stage.look(zoom, down.cx - (event.clientX - down.clientX) / box.width / zoom,
        down.cy - (event.clientY - down.clientY) / box.height / zoom);
    } else {
      this.marks.region = this.#box(down.at, at);
      this.draw();
    }
  }

  #box(a, b) {
    return [Math.min(a.y, b.y), Math.min(a.x, b.x), Math.max(a.y, b.y) + 1, Math.max(a.x, b.x) + 1];
  }

  #press(event) {
    if (event.button > 1 || event.isPrimary === false) return;
    this.canvas.setPointerCapture(event.pointerId);
    this.#down = {
      clientX: event.clientX, clientY: event.clientY, at: this.place(event), moved: false,
      pans: event.button === 1 || event.altKey || event.pointerType === "touch",
      cx: this.stage.state.get("cx"), cy: this.stage.state.get("cy"),
    };
    if (event.button === 1) event.preventDefault();
  }

  #release(event) {
    const down = this.#down;
    this.#down = null;
    if (!down) return;
    const at = this.place(event);
    if (!down.moved) this.stage.flashlight.click(this, at, event);
    else if (!down.pans) this.stage.flashlight.region(this, this.#box(down.at, at));
  }

  #leave() {
    if (!this.#down) this.stage.flashlight.leave(this);
  }

  // Without Ctrl the wheel scrolls the page, until one has zoomed.
  #wheel(event) {
    const zoom = this.stage.state.get("zoom");
    if (!event.ctrlKey && !event.metaKey && zoom === 1 && document.activeElement !== this.canvas) return;
    event.preventDefault();
    this.stage.zoomAt(Math.exp(-event.deltaY * 0.0015), this, this.place(event));
  }
}
Plane.fields = 0;
