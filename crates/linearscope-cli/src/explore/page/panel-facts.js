// What holds of all that is shown: certificate, decisions at risk, recipe, rules, where it was computed.

import { el } from "./dom.js";
import { significant, percent, count } from "./number.js";
import { fillTable, key, list } from "./panel-parts.js";

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
  help: "The certificate for all numbers shown, the recipe of the picture, the rules, and decisions near their kinks.",

  open(stage, root) {
    const { net, session } = stage;
    const { decisions_at_risk: _, ...certificate } = net.certificate ?? {};
    const { worst, decisions, ...risk } = net.at_risk ?? {};
    const near = el("div.wide");
    if (worst?.length) {
      const cells = numbers => numbers.map(n => el("td.number", { data: key(n) }, count(n)));
      fillTable(near, [["node", "text"], ["within rounding", "number"], ["of decisions", "number"]],
        el("tbody", {}, worst.map(({ node, within, decisions: of }) => el("tr", {}, el("td", {}, node), cells([within, of])))), "table");
    }
    const holds = [certificate.exactness, certificate.adjoint].every(error => error <= certificate.limit);
    root.append(
      el("h3", {}, "Certificate: ", el(holds ? "b.holds" : "b.fails", {}, holds ? "holds" : "fails")),
      el("p.lead", {}, "Exactness is ‖F x₀ + r − f(x₀)‖; the adjoint error is that of ⟨F v, u⟩ = ⟨v, Fᵀ u⟩. Both are relative and must stay below the limit."),
      list(rows(certificate)),
      el("h3", {}, "Decisions"),
      el("p.lead", {}, "Units so close to where they switch that rounding may decide for them."),
      list([["decisions", said(net.decisions)], ...rows(risk)]), near,
      el("h3", {}, "Residual"), list([["norm", said(net.residual?.norm)], ["share of the output", percent(net.residual?.share)]]),
      el("h3", {}, "Network and picture"), list([["network", net.model], ["SHA-256", net.model_sha256], ["input", `${net.input}, ${net.input_shape?.join(" × ")}`],
        ["output", net.output_shape?.join(" × ")], ["task", net.task?.replaceAll("_", " ")], ["rules", said(net.rules)], ["in full", said(net.rules_entries)],
        ["computed on", `${net.device}, ${net.dtype}`], ["LinearScope", session.version]]),
      net.recipe ? el("h3", {}, "Recipe") : "", net.recipe ? list(rows(net.recipe)) : "");
    return {};
  },
};
