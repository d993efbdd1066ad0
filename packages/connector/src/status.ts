/** One instance's status, kept from what its adapter knows of Claude sessions and how many browsers are connected. */
import { type ClaudeSession, deriveStatus, type Status } from "@ai-orchestrator/protocol";
import type { Adapter } from "./adapter.ts";
import { boundedSessions } from "./bounded.ts";

/** What the hub is told: one word, and the sessions behind it. */
export interface StatusReport {
  status: Status;
  sessions: ClaudeSession[];
}

/** Changes within this many milliseconds are reported once: a turn often ends and begins in one breath. */
const COALESCE_MS = 20;

export class StatusTracker {
  /** Proxied WebSockets of browsers; the client calls `opened` and `closed` once for each. */
  readonly browsers = { opened: (): void => this.#count(1), closed: (): void => this.#count(-1) };
  readonly #adapter: Pick<Adapter, "sessions" | "onChange">;
  readonly #listeners = new Set<(report: StatusReport) => void>();
  readonly #unsubscribe: () => void;
  readonly #failed: (error: unknown) => void;
  #sessions: ClaudeSession[] = [];
  #isFailing = false;
  #open = 0;
  #timer: NodeJS.Timeout | undefined;
  #reported: string;

  /** `failed` is told what an adapter's `sessions` throws; what it said before counts until it works again. */
  constructor(
    adapter: Pick<Adapter, "sessions" | "onChange">,
    failed: (error: unknown) => void = () => undefined,
  ) {
    this.#adapter = adapter;
    this.#failed = failed;
    this.#reported = JSON.stringify(this.current());
    this.#unsubscribe = adapter.onChange(() => this.#changed());
  }

  current(): StatusReport {
    const isFailing = this.#isFailing;
    try {
      this.#sessions = boundedSessions(this.#adapter.sessions());
      this.#isFailing = false;
    } catch (error) {
      this.#isFailing = true;
      if (!isFailing) this.#failed(error);
    }
    return { status: deriveStatus(this.#sessions, this.#open), sessions: this.#sessions };
  }

  /** Calls back with each new report, only when something differs from the one before; returns a function that ends it. */
  onChange(listener: (report: StatusReport) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Ends all reports; nothing is left running. */
  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#listeners.clear();
    this.#unsubscribe();
  }

  #count(change: 1 | -1): void {
    this.#open = Math.max(0, this.#open + change);
    this.#changed();
  }

  #changed(): void {
    if (this.#listeners.size === 0) return;
    this.#timer ??= setTimeout(() => this.#report(), COALESCE_MS);
  }

  #report(): void {
    this.#timer = undefined;
    const report = this.current();
    const text = JSON.stringify(report);
    if (text === this.#reported) return;
    this.#reported = text;
    for (const listener of this.#listeners) listener(report);
  }
}
