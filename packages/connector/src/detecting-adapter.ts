/** The adapter for a web application of which is not yet known what it is, or whether it listens. */
import * as net from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { type Adapter, createPlainAdapter, type RequestParts, type ResponseParts } from "./adapter.ts";
import {
  type ClaudecodeuiAdapterOptions,
  createClaudecodeuiAdapter,
} from "./claudecodeui/claudecodeui-adapter.ts";
import { detectClaudecodeui } from "./claudecodeui/detect.ts";
import { portOf } from "./discovery.ts";
import { resolveLoopback } from "./loopback.ts";

const LOOK_EVERY_MS = 250;
const SAY_AFTER_MS = 10_000;
const CONNECT_TIMEOUT_MS = 1_000;
const PATIENCE_MS = 2_000;

/**
 * Passes everything through as it is until it has seen a claudecodeui at `target`; from then on it is the adapter for that.
 * `start` waits until something listens there, for as long as it takes, and says so once; what listens has two seconds to say what it is.
 * Nothing of it keeps a process running.
 */
export function createDetectingAdapter(options: ClaudecodeuiAdapterOptions): Adapter {
  return new DetectingAdapter(options);
}

class DetectingAdapter implements Adapter {
  readonly #options: ClaudecodeuiAdapterOptions;
  readonly #stop = new AbortController();
  readonly #listeners = new Set<() => void>();
  readonly #noticed = new Set<(message: string) => void>();
  #inner: Adapter = createPlainAdapter();
  #isKnown = false;

  constructor(options: ClaudecodeuiAdapterOptions) {
    this.#options = options;
  }

  get software() {
    return this.#inner.software;
  }

  async start(): Promise<void> {
    await this.#waitForListener();
    // One that is slow to say what it is can be connected meanwhile.
    const { signal } = this.#stop;
    const patience = delay(PATIENCE_MS, undefined, { signal, ref: false }).catch(() => undefined);
    await Promise.race([this.#look(), patience]);
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#listeners.clear();
    this.#noticed.clear();
    await this.#inner.stop();
  }

  prepareRequest(request: RequestParts) {
    return this.#inner.prepareRequest(request);
  }

  prepareResponse(request: RequestParts, response: ResponseParts) {
    return this.#inner.prepareResponse(request, response);
  }

  observeWebSocket(request: RequestParts) {
    return this.#inner.observeWebSocket?.(request);
  }

  sessions() {
    return this.#inner.sessions();
  }

  refresh(): Promise<void> {
    return this.#isKnown ? this.#inner.refresh() : this.#look();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onNotice(listener: (message: string) => void): () => void {
    this.#noticed.add(listener);
    return () => this.#noticed.delete(listener);
  }

  /** Looks what it is, and becomes that. */
  async #look(): Promise<void> {
    const { signal } = this.#stop;
    if (signal.aborted || !(await detectClaudecodeui(this.#options.target, signal))) return;
    if (signal.aborted || this.#isKnown) return;
    const adapter = createClaudecodeuiAdapter(this.#options);
    adapter.onChange(() => this.#changed());
    adapter.onNotice?.((message) => this.#notice(message));
    this.#inner = adapter;
    this.#isKnown = true;
    await adapter.start();
    this.#changed();
  }

  async #waitForListener(): Promise<void> {
    const { target } = this.#options;
    const { signal } = this.#stop;
    const sayAt = performance.now() + SAY_AFTER_MS;
    let isSaid = false;
    while (!signal.aborted && !(await isListening(target))) {
      if (!isSaid && performance.now() > sayAt) {
        isSaid = true;
        this.#notice(`nothing listens at ${target} yet; the hub is dialled once it does`);
      }
      await delay(LOOK_EVERY_MS, undefined, { signal, ref: false }).catch(() => undefined);
    }
  }

  #changed(): void {
    for (const listener of this.#listeners) listener();
  }

  #notice(message: string): void {
    for (const listener of this.#noticed) listener(message);
  }
}

/** True when a connection to `target` is taken; nothing is sent. */
function isListening(target: string): Promise<boolean> {
  const host = new URL(target).hostname.replace(/^\[(.*)\]$/, "$1");
  return new Promise((resolve) => {
    const socket = net.connect({ host, port: portOf(target), lookup: resolveLoopback });
    const done = (isThere: boolean) => {
      socket.destroy();
      resolve(isThere);
    };
    socket.unref();
    socket.setTimeout(CONNECT_TIMEOUT_MS, () => done(false));
    socket.once("connect", () => done(true));
    socket.once("error", () => done(false));
  });
}
