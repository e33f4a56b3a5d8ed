// The first seconds: the cursor goes round by itself, so that one sees what moving it does. Any touch ends it.

const STEPS = 48;
const PACE = 130;

/** Begin, unless there is something to see already or motion is not wanted. */
export const walk = stage => {
  const { flashlight, state } = stage;
  const plane = stage.sides.in;
  const scores = stage.output.scores;
  const quiet = matchMedia("(prefers-reduced-motion: reduce)").matches;
  let [timer, unwatch] = [0, null];
  let stopped = false;
  const stop = () => {
    stopped = true;
    stage.walk.going = false;
    clearTimeout(timer);
    unwatch?.();
  };
  stage.walk = { stop, going: false };
  if (flashlight.pinned || state.wrong.length) return;
  // A classifier shows at once what speaks for its best class.
  if (scores) {
    flashlight.move({ side: "out", k: scores.order[0] });
    return;
  }
  const out = stage.sides.out ?? plane;
  const at = i => {
    const angle = 2 * Math.PI * i / STEPS;
    const along = (span, part) => Math.round((span - 1) * (0.5 + 0.16 * part));
    return { side: "out", y: along(out.height, Math.sin(angle)), x: along(out.width, Math.cos(angle)) };
  };
  // Where fields are places apart, several steps may be one.
  const all = Array.from({ length: STEPS + 1 }, (_, i) => stage.snap(at(i)));
  const places = all.filter(({ y, x }, i) => i === 0 || y !== all[i - 1].y || x !== all[i - 1].x);
  let i = 0;
  const step = () => flashlight.move(places[i]);
  // The next step comes when this one is seen, however fast the network is.
  unwatch = flashlight.watch(({ source, field, error }) => {
    if (error || i + 1 >= places.length) stop();
    if (!field || source?.place !== flashlight.cursor || quiet || stopped) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      i += 1;
      step();
    }, PACE);
  });
  stage.walk.going = true;
  step();
  for (const kind of ["pointerdown", "keydown", "wheel", "touchstart"]) addEventListener(kind, stop, { once: true, passive: true });
};
