// Something that takes long: begun by a button, with how far it is, what it does, and a way to stop it.

import { el, button, failure } from "./dom.js";
import { isStale } from "./api.js";

/**
 * A bar for one kind of job. `start(address)` runs it and gives its result to `finished`; a newer start, `stop` and
 * leaving the panel end it, here and on the server.
 */
export class Job {
  #controller = null;

  constructor(stage, finished) {
    Object.assign(this, { stage, finished });
    this.node = el("div.job", { role: "status" });
  }

  async start(address) {
    this.stop();
    const controller = this.#controller = new AbortController();
    const began = performance.now();
    const bar = el("progress", { max: "1", "aria-label": "Progress" });
    const said = el("span", {}, "begins …");
    const seconds = el("span");
    const clock = setInterval(() => { seconds.textContent = `${((performance.now() - began) / 1000).toFixed(0)} s`; }, 1000);
    this.node.replaceChildren(bar, said, seconds, button("stop", () => {
      this.stop();
      this.node.replaceChildren("Stopped.");
    }));
    try {
      const result = await this.stage.api.job(address, {
        signal: controller.signal,
        progress: (share, words) => {
          if (share > 0) bar.value = share;
          said.textContent = words;
        },
      });
      if (controller.signal.aborted) return;
      this.node.replaceChildren();
      await this.finished(result);
    } catch (error) {
      if (!isStale(error) && !controller.signal.aborted) this.node.replaceChildren(failure(error));
    } finally {
      clearInterval(clock);
      if (this.#controller === controller) this.#controller = null;
    }
  }

  stop() {
    this.#controller?.abort();
    this.#controller = null;
  }
}
