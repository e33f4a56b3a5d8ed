// Answers: arrays and JSON by address, jobs with progress, and what to do when the program is gone. Where they come
// from is a source, the program (source-program.js) or the files of an export (source-export.js).

import { Field } from "./npy.js";

/** What the server refused, in its words. */
export class Refused extends Error {
  constructor(status, message, hint) {
    super(message);
    Object.assign(this, { status, hint: hint ?? null, name: "Refused" });
  }
}

/** Nobody wants the answer any more. */
export const isStale = error => error?.name === "AbortError" || error?.message === "superseded";

const CACHE_BYTES = 256 << 20;
const CLIENT = Math.random().toString(36).slice(2, 10);
const wait = (ms, signal) => new Promise((done, fail) => {
  const timer = setTimeout(done, ms);
  signal?.addEventListener("abort", () => {
    clearTimeout(timer);
    fail(signal.reason);
  }, { once: true });
});

/** `/api/` with its query, without what is null. */
export const path = (name, query = {}) => {
  const parts = Object.entries(query).filter(([, value]) => value !== null && value !== undefined)
    .map(([key, value]) => `${key}=${encodeURIComponent(value).replaceAll("%2C", ",")}`);
  return `/api/${name}${parts.length ? `?${parts.join("&")}` : ""}`;
};

export class Api {
  #kept = new Map();
  #bytes = 0;
  #listeners = [];
  #gone = false;
  #key = null;

  constructor(source) {
    this.source = source;
  }

  /** From now on answers of another session, of a program started anew at this address, are none: the page is loaded again. */
  expect(key) {
    this.#key = key;
  }

  /** `listener(gone: boolean, seconds)`: the server went, or came back. */
  watch(listener) {
    this.#listeners.push(listener);
  }

  /** An array that is here already. */
  held(address) {
    const field = this.#kept.get(address);
    if (field) {
      this.#kept.delete(address);
      this.#kept.set(address, field);
    }
    return field;
  }

  /** An array. `hover`: a newer request of this page may replace it in the server's queue. */
  async array(address, { signal, hover = false } = {}) {
    const held = this.held(address);
    if (held) return held;
    const asked = performance.now();
    const answer = await this.#get(hover ? `${address}&hover=1&client=${CLIENT}` : address, signal, hover ? "no-store" : "no-cache");
    const field = Field.read(await this.#body(answer.arrayBuffer()), answer.headers);
    field.about.round = performance.now() - asked;
    field.address = address;
    this.#keep(address, field);
    return field;
  }

  async json(address, { signal } = {}) {
    return (await this.#get(address, signal)).json();
  }

  /** A picture as pixels. */
  async picture(address, { signal } = {}) {
    const answer = await this.#get(address, signal);
    return createImageBitmap(await this.#body(answer.blob()), { colorSpaceConversion: "none" });
  }

  /** A job: `progress(share, said)` as it goes; its result. Aborting the signal stops it on the server. */
  async job(address, { signal, progress = () => {} } = {}) {
    const answer = await this.#get(address, signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    for (;;) {
      const { value, done } = await this.#body(reader.read());
      text += value ?? "";
      const lines = text.split("\n");
      text = done ? "" : lines.pop();
      for (const line of lines.filter(line => line.trim())) {
        const said = JSON.parse(line);
        if ("error" in said) throw new Refused(200, said.error, said.hint);
        if ("done" in said) return said.done;
        if ("progress" in said) progress(said.progress, said.said ?? "");
        // Quick answers may come as one plain object.
        else return said;
      }
      if (done) throw new Refused(200, "the response ended early", "Try again.");
    }
  }

  forget() {
    this.#kept.clear();
    this.#bytes = 0;
  }

  // The server says when a browser's own copy is still good.
  async #get(address, signal, cache = "no-cache") {
    for (let tries = 0; ; tries++) {
      const answer = await this.#body(this.source.answer(address, { signal, cache }));
      const tag = answer.headers.get("ETag");
      if (this.#key !== null && tag !== null && tag !== `"${this.#key}"`) {
        location.reload();
        throw new DOMException("another session", "AbortError");
      }
      if (answer.ok) return answer;
      if (answer.status === 503 && tries < 4) {
        await wait(1000 * Math.min(5, Number(answer.headers.get("Retry-After")) || 1), signal);
        continue;
      }
      const said = await answer.json().catch(() => ({}));
      throw new Refused(answer.status, said.error ?? `the program answers ${answer.status}`, said.hint);
    }
  }

  // A network error means that the server is gone; being asked for nothing any more does not.
  async #body(promise) {
    try {
      return await promise;
    } catch (error) {
      if (this.source.live && error instanceof TypeError && !isStale(error)) {
        this.#lost();
        throw new Refused(0, "The program does not answer.", "The page reconnects on its own.");
      }
      throw error;
    }
  }

  async #lost() {
    if (this.#gone) return;
    this.#gone = true;
    for (let tries = 1; ; tries++) {
      const seconds = Math.min(5, tries);
      for (const listener of this.#listeners) listener(true, seconds);
      await wait(1000 * seconds);
      const answer = await fetch("/api/session", { cache: "no-store" }).catch(() => null);
      if (!answer?.ok) continue;
      const session = await answer.json().catch(() => null);
      if (!session) continue;
      this.#gone = false;
      for (const listener of this.#listeners) listener(false, 0, session);
      return;
    }
  }

  #keep(address, field) {
    if (this.#kept.has(address)) return;
    this.#kept.set(address, field);
    this.#bytes += field.bytes;
    for (const [oldest, old] of this.#kept) {
      if (this.#bytes <= CACHE_BYTES || oldest === address) break;
      this.#kept.delete(oldest);
      this.#bytes -= old.bytes;
    }
  }
}
