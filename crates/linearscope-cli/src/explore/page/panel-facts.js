// What holds of all that is shown: certificate, decisions at risk, recipe, rules, where it was computed.

import { el } from "./dom.js";
import { significant, percent, count } from "./number.js";
import { list } from "./panel-parts.js";

// Anything of the session as text: numbers short, words as they are, what is nested indented by its name.
const said = value => {
  if (value === null || value === undefined) return "–";
  if (typeof value === "number") return Number.isInteger(value) ? count(value) : significant(value);
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "string") return value;
  if (Array.isArray(value)) return value.length ? value.slice(0, 12).map(said).join(", ") + (value.length > 12 ? ", …" : "") : "none";
  return Object.entries(value).map(([name, inner]) => `${name.replaceAll("_", " ")} ${said(inner)}`).join(" · ");
};

const rows = object => (object && typeof object === "object" && !Array.isArray(object)
  ? Object.entries(object).map(([name, value]) => [name.replaceAll("_", " "), said(value)]) : [["", said(object)]]);

export const about = {
  id: "about", title: "Facts", why: () => null,
  help: "The certificate of all numbers shown, the recipe of the picture, the rules, and decisions near their kinks.",

  open(stage, root) {
    const { net, session } = stage;
    const holds = net.certificate?.holds ?? net.certificate?.passed;
    root.append(
      el("h3", {}, "Certificate ", holds === undefined ? null : el(holds ? "b.holds" : "b.fails", {}, holds ? "holds" : "fails")), list(rows(net.certificate)),
      el("h3", {}, "Decisions"), list([["decisions", Number.isFinite(net.decisions) ? count(net.decisions) : null], ...(net.at_risk ? rows(net.at_risk).map(([n, v]) => [`at risk: ${n}`, v]) : [])]),
      el("h3", {}, "Residual"), list([["norm", said(net.residual?.norm)], ["share of the output", percent(net.residual?.share)]]),
      el("h3", {}, "Network and picture"), list([["network", net.model], ["SHA-256", net.model_sha256], ["input", `${net.input}, ${net.input_shape?.join(" × ")}`],
        ["output", net.output_shape?.join(" × ")], ["task", net.task?.replaceAll("_", " ")], ["rules", said(net.rules)], ["computed on", `${net.device}, ${net.dtype}`], ["LinearScope", session.version]]),
      net.recipe ? el("h3", {}, "Recipe") : "", net.recipe ? list(rows(net.recipe)) : "");
    return {};
  },
};
