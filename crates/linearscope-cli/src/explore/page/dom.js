// Elements in one line each. No markup is parsed anywhere in the page: text is always text.

const fill = (node, properties, children) => {
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else if (name === "data") Object.assign(node.dataset, value);
    // Properties of SVG elements are read-only animations; attributes work.
    else if (name in node && typeof value !== "string" && !(node instanceof SVGElement)) node[name] = value;
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat(Infinity).filter(child => child !== null && child !== undefined && child !== false));
  return node;
};

/** `el("button.quiet", { type: "button", onclick }, "Stop")`. */
export const el = (tag, properties = {}, ...children) => {
  const [name, ...classes] = tag.split(".");
  const node = document.createElement(name);
  if (classes.length) node.className = classes.join(" ");
  return fill(node, properties, children);
};

/** The same for SVG. */
export const svg = (tag, properties = {}, ...children) => {
  const [name, ...classes] = tag.split(".");
  const node = document.createElementNS("http://www.w3.org/2000/svg", name);
  if (classes.length) node.setAttribute("class", classes.join(" "));
  return fill(node, properties, children);
};

export const button = (label, onclick, properties = {}) =>
  el("button", { type: "button", onclick, ...properties }, label);

/** A labelled `<select>`; options are `[value, label]`. */
export const choose = (label, options, value, onchange, properties = {}) => {
  const select = el("select", { onchange: () => onchange(select.value), ...properties },
    options.map(([key, said]) => el("option", { value: String(key), selected: String(key) === String(value) }, said)));
  return el("label.control", {}, el("span", {}, label), select);
};

/** A labelled check box. */
export const toggle = (label, checked, onchange, properties = {}) => {
  const box = el("input", { type: "checkbox", checked: Boolean(checked), onchange: () => onchange(box.checked), ...properties });
  return el("label.control", {}, box, el("span", {}, label));
};

/** What went wrong, in words, with what to do. */
export const failure = error =>
  el("p.failure", { role: "alert" }, error.message, error.hint ? el("span.hint", {}, ` ${error.hint}`) : null);
