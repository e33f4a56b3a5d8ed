// Small charts as SVG: bars that are buttons, and curves with a mark.

import { svg } from "./dom.js";
import { significant } from "./number.js";

const [WIDTH, HEIGHT, LEFT, BOTTOM, TOP] = [560, 190, 56, 24, 10];

const frame = (label, role) => svg("svg.chart", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role, "aria-label": label });
const ticks = (node, most, name) => {
  for (const part of [0, 0.5, 1]) {
    const y = HEIGHT - BOTTOM - part * (HEIGHT - BOTTOM - TOP);
    node.append(svg("line.axis", { x1: LEFT, x2: WIDTH, y1: y, y2: y }),
      svg("text", { x: LEFT - 6, y: y + 4, "text-anchor": "end" }, significant(part * most, 3)));
  }
  node.append(svg("text", { x: WIDTH, y: HEIGHT - 2, "text-anchor": "end" }, name));
};

/** Bars from 0; `chosen` is pressed, `choose(i)` is called for another. */
export const bars = (values, label, name, chosen, choose, said = i => `${i + 1}: ${significant(values[i])}`) => {
  const node = frame(label, "group");
  const most = Math.max(...values, 1e-300);
  ticks(node, most, name);
  const wide = (WIDTH - LEFT) / values.length;
  values.forEach((value, i) => {
    const height = Math.max(1, (HEIGHT - BOTTOM - TOP) * value / most);
    const act = () => choose(i);
    const bar = svg("rect.sigma", {
      x: LEFT + i * wide + wide * 0.12, width: wide * 0.76, y: HEIGHT - BOTTOM - height, height, tabindex: i === chosen ? 0 : -1, role: "button",
      "aria-label": said(i), "aria-pressed": String(i === chosen), "data-i": String(i), "data-value": String(value), onclick: act,
      onkeydown: event => {
        if (event.key === "Enter" || event.key === " ") act();
        else if (event.key === "ArrowRight") choose(Math.min(values.length - 1, chosen + 1));
        else if (event.key === "ArrowLeft") choose(Math.max(0, chosen - 1));
        else return;
        event.preventDefault();
        event.stopPropagation();
      },
    }, svg("title", {}, said(i)));
    node.append(bar);
    if (values.length <= 32) node.append(svg("text", { x: LEFT + (i + 0.5) * wide, y: HEIGHT - BOTTOM + 14, "text-anchor": "middle" }, i + 1));
  });
  return node;
};

/** A curve of `[x, y]` with x in 0..1, a line at `here` and a band up to `exact`. */
export const curve = (points, label, name, here, exact) => {
  const node = frame(label, "img");
  const most = Math.max(...points.map(([, y]) => y).filter(Number.isFinite), 1e-12);
  const x = t => LEFT + t * (WIDTH - LEFT);
  const y = v => HEIGHT - BOTTOM - Math.min(1, v / most) * (HEIGHT - BOTTOM - TOP);
  if (exact > 0) node.append(svg("rect.exact", { x: x(0), y: TOP, width: Math.max(1, x(Math.min(1, exact)) - x(0)), height: HEIGHT - BOTTOM - TOP }));
  ticks(node, most, name);
  node.append(svg("polyline.curve", { points: points.filter(([, v]) => Number.isFinite(v)).map(([t, v]) => `${x(t)},${y(v)}`).join(" ") }));
  if (here !== null) node.append(svg("line.here", { x1: x(here), x2: x(here), y1: TOP, y2: HEIGHT - BOTTOM }));
  return node;
};
