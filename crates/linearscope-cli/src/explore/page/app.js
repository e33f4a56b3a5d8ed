// The page: opens the session, puts its parts together, and keeps them together when the server comes and goes.

import { Api, path } from "./api.js";
import { program } from "./source-program.js";
import { Folder } from "./source-export.js";
import { State } from "./state.js";
import { Stage } from "./stage.js";
import { Flashlight } from "./flashlight.js";
import { InputView, OutputView } from "./views.js";
import { Panels } from "./panels.js";
import { useStops } from "./colour.js";
import { el, button, choose, toggle, failure } from "./dom.js";
import { percent, significant } from "./number.js";
import { copyLink } from "./save.js";
import * as keys from "./keys.js";
import { walk } from "./walk.js";

const $ = id => document.getElementById(id);

const describe = stage => {
  const { net } = stage;
  const share = net.residual?.share;
  $("what").dataset.help = "Each unit keeps what it decided for this picture, which makes the network linear: y = F x + r. "
    + "At the picture itself, this equals the network.";
  document.title = `${net.model} · ${net.input} · LinearScope`;
  $("what").replaceChildren(el("b", {}, net.model), " at ", el("b", {}, net.input),
    `: y = F x + r, frozen at this picture`, Number.isFinite(share) ? `; residual r ${percent(share)} of the output` : "",
    ...(stage.session.exported ? [" · ", el("b", { "data-help": `This page is a set of files and shows only what was computed in advance. For everything else, run ${stage.session.commands.explore}` }, "exported")] : []));
};

// A node that the link names but the network lacks is listed too, so that one can choose another.
const unknown = (name, known) => (name !== null && !known.includes(name) ? [[name, `${name} (not there)`]] : []);

const tools = stage => {
  const { state, whole: net } = stage;
  const rules = Array.isArray(net.panels.rules) ? net.panels.rules : [];
  const show = () => {
    const lock = state.get("lock");
    $("tools").replaceChildren(...[
      toggle("over the picture", state.get("over"), over => state.set({ over }), { title: "Show fields over the picture, or alone (v)" }),
      toggle("log", state.get("log"), log => state.set({ log }), { title: "Logarithmic colours make small weights visible (g)" }),
      toggle(lock === null ? "lock scale" : `scale locked at ${significant(lock, 3)}`, lock !== null, () => stage.lock(), { title: "Keep this scale, so that places can be compared (k)" }),
      el("span.group", { role: "group", "aria-label": "Zoom" },
        button("−", () => stage.look(state.get("zoom") / 1.5, state.get("cx"), state.get("cy")), { "aria-label": "Zoom out", title: "Zoom out (−)" }),
        button(`${significant(state.get("zoom"), 2)}×`, () => stage.look(1, 0.5, 0.5), { "aria-label": "Zoom back", title: "The whole picture (0)" }),
        button("+", () => stage.look(state.get("zoom") * 1.5, state.get("cx"), state.get("cy")), { "aria-label": "Zoom in", title: "Zoom in (+, or the wheel)" })),
      rules.length > 1 ? choose("rules", [["", `as started${net.rules ? ` (${net.rules})` : ""}`], ...rules.map(r => [r, r])], state.get("rules") ?? "", r => state.set({ rules: r || null })) : null,
      net.nodes?.length ? choose("output at", [["", "the end"], ...unknown(state.get("to"), net.nodes), ...net.nodes.map(n => [n, n])], state.get("to") ?? "", to => state.set({ to: to || null, at: null, region: null, second: null, co: "all" })) : null,
      stage.session.nets.length > 1 ? choose("looking at", stage.session.nets.map((n, i) => [i, `${n.model}, ${n.input}`]), state.get("net"), i => state.set({ net: Number(i) })) : null,
    ].filter(Boolean));
  };
  state.watch(changed => {
    if (["over", "log", "lock", "zoom", "rules", "to", "net"].some(name => changed.has(name))) {
      const had = document.activeElement?.closest("#tools") ? [...$("tools").querySelectorAll("input, select, button")].indexOf(document.activeElement) : -1;
      show();
      if (had >= 0) $("tools").querySelectorAll("input, select, button")[had]?.focus();
    }
  });
  show();
};

// Who moves by keys may not see: what is under the cursor is said, when it rests.
const speak = stage => {
  let timer = 0;
  stage.flashlight.watch(({ slow }) => {
    if (!stage.flashlight.spoken || slow) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      const { reading, source, field } = stage.flashlight;
      const plane = stage.sides[reading?.side];
      const other = stage.sides[source?.kind === "column" ? "out" : "in"];
      $("said").textContent = [plane?.readout.textContent, field && source?.kind, other !== plane && other?.facts.textContent].filter(Boolean).join(". ");
    }, 400);
  });
};

const THEMES = ["auto", "light", "dark"];
const actions = stage => {
  const { state } = stage;
  const theme = () => {
    const now = state.get("theme");
    if (now === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = now;
    themes.textContent = { auto: "◐ theme", light: "☀ light", dark: "☾ dark" }[now];
  };
  const link = button("copy link", () => stage.actions.link(), { title: "The address of exactly this view (c)" });
  const themes = button("", () => stage.actions.theme(), { title: "Light, dark, or as the system setting (t)" });
  stage.actions = {
    link: () => copyLink(stage, link),
    theme: () => state.set({ theme: THEMES[(THEMES.indexOf(state.get("theme")) + 1) % 3] }),
    keys: keys.show,
  };
  $("actions").replaceChildren(link, themes, button("? keys", keys.show, { title: "All keys (?)" }));
  state.watch(changed => changed.has("theme") && theme());
  theme();
};

const watchServer = (stage, api) => api.watch((gone, seconds, session) => {
  $("gone").hidden = !gone;
  const start = stage.session?.commands?.explore;
  if (gone) {
    $("gone").replaceChildren("The program has stopped or cannot be reached. ",
      ...(start ? ["Start it again with ", el("code", {}, `${start} --port ${location.port}`), ". "] : ["Start it again. "]), `Trying again in ${seconds} s.`);
    return;
  }
  // Another question at the same address is another page.
  if (stage.session?.key !== session.key) location.reload();
  else {
    stage.session = session;
    stage.reload();
  }
});

const open = async () => {
  // An export has its index in the page.
  const exported = $("exported");
  const [state, api] = [new State(), new Api(exported ? new Folder(JSON.parse(exported.textContent)) : program)];
  const stage = new Stage(state, api, null);
  watchServer(stage, api);
  const session = stage.session = await api.json(path("session"));
  api.expect(session.key);
  useStops(session.stops);
  stage.sides = {};
  stage.flashlight = new Flashlight(stage);
  const [input, output] = [new InputView(stage), new OutputView(stage)];
  stage.panels = new Panels(stage, $("panels"));
  stage.flashlight.watch(seen => {
    input.show(seen);
    output.show(seen);
  });
  stage.lock = () => {
    const shown = [stage.sides.out, stage.sides.in].find(plane => plane?.field);
    state.set({ lock: state.get("lock") === null ? shown?.full || null : null });
  };
  // Everything that depends on which network, rules or node is looked at.
  let [loading, asking] = [0, new AbortController()];
  stage.reload = async () => {
    const turn = ++loading;
    // A freezing that nobody waits for any more ends.
    asking.abort();
    const { signal } = asking = new AbortController();
    api.forget();
    try {
      stage.made = null;
      output.ready = false;
      const [to, rules] = [state.get("to"), state.get("rules")];
      // A node as the output, or other rules, make another network: what there is to ask of it may differ.
      const made = to || rules ? (await api.json(path("session", stage.query()), { signal })).nets[0] : null;
      if (turn !== loading) return;
      stage.made = made;
      describe(stage);
      await Promise.all([input.load(), output.load()]);
      if (turn !== loading) return;
      await stage.flashlight.refresh();
      stage.panels.refresh();
    } catch (error) {
      if (turn !== loading) return;
      // Whatever cannot be had, the input is there, and the way to choose something else.
      await input.load().catch(() => {});
      output.fail(error);
    }
  };
  state.watch(changed => {
    // Places of one output may not be places of another.
    if (changed.has("to") || changed.has("net")) stage.flashlight.forget();
    if (["to", "net", "rules"].some(name => changed.has(name))) stage.reload();
    if (["over", "log", "lock", "zoom", "cx", "cy"].some(name => changed.has(name))) for (const plane of stage.planes) plane.draw();
    if (["ci", "co", "over", "log", "lock"].some(name => changed.has(name))) stage.flashlight.refresh();
  });
  speak(stage);
  actions(stage);
  tools(stage);
  keys.listen(stage);
  // Controls say what they do where places say what they are.
  for (const kind of ["pointerover", "focusin"]) document.addEventListener(kind, event => {
    const control = event.target.closest?.("[data-help], [title]");
    const said = control?.dataset.help ?? control?.title;
    if (said) stage.help(said);
  });
  $("views").replaceChildren(input.node, output.node);
  const hand = matchMedia("(hover: none)").matches ? "Tap" : "Move over";
  stage.greeting = `${hand} the input: what does this place add to the output? ${hand} the output: what is it made from?`;
  stage.help(stage.greeting);
  await stage.reload();
  if (state.wrong.length) stage.help(`This link contains values that the page does not know: ${state.wrong.join(", ")}. Everything else is shown.`);
  walk(stage);
  // For tests and curious people: what the page holds.
  window.linearscope = stage;
};

open().catch(error => {
  $("help").textContent = "";
  $("views").replaceChildren(failure(error));
});
