/** Feeds the session table from every source there is, and says when what it shows may have changed. */
import type { ClaudeSession } from "@ai-orchestrator/protocol";
import { isLive } from "./session-state.ts";
import type { WebSocketObserver } from "../adapter.ts";
import { observeChat } from "./frames.ts";
import type { RegistryEntry } from "./registry.ts";
import { RegistryWatch } from "./registry-watch.ts";
import { type Ask, readDetails, readRuns } from "./session-api.ts";
import { type Observation, SessionTable } from "./sessions.ts";

/** Pauses between two looks at the list of runs, by how much depends on it. */
const WHILE_LIVE_MS = 2_000;
const WHILE_WATCHED_MS = 5_000;
const AT_REST_MS = 30_000;

/** How long claudecodeui may take to learn which session a Claude Code it started belongs to. */
const UNCLAIMED_MS = 3_000;

export class SessionWatch {
  readonly #ask: Ask;
  readonly #onChange: () => void;
  readonly #now: () => number;
  readonly #table = new SessionTable();
  readonly #registry: RegistryWatch;
  readonly #looking = new Set<string>();
  #sockets = 0;
  #timer: NodeJS.Timeout | undefined;
  #nextAt = 0;
  #stopped = false;

  constructor(options: { ask: Ask; registryFolder: string; onChange: () => void; now?: () => number }) {
    this.#ask = options.ask;
    this.#onChange = options.onChange;
    this.#now = options.now ?? Date.now;
    this.#registry = new RegistryWatch(options.registryFolder, (entries) => this.#onRegistry(entries));
  }

  sessions(): ClaudeSession[] {
    return this.#table.sessions();
  }

  /** Looks at every source now; resolves when `sessions()` is current. Never rejects. */
  async refresh(): Promise<void> {
    if (this.#stopped) return;
    await Promise.all([this.#registry.look(), this.#lookAtRuns()]);
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    this.#registry.stop();
  }

  /** Watches a browser's chat WebSocket. */
  observe(): WebSocketObserver {
    this.#sockets += 1;
    const observer = observeChat(Symbol("chat"), this.#now, (observations) => this.#observe(observations));
    let closed = false;
    return {
      ...observer,
      closed: () => {
        if (closed) return;
        closed = true;
        this.#sockets -= 1;
        observer.closed?.();
        // Its `complete` will pass here no more, so somebody else has to say how its runs go on.
        this.#lookWithin(0);
      },
    };
  }

  #observe(observations: Observation[]): void {
    if (this.#stopped) return;
    for (const observation of observations) this.#table.observe(observation);
    this.#lookWithin(this.#pause());
    this.#onChange();
  }

  #onRegistry(entries: RegistryEntry[] | undefined): void {
    this.#observe([{ type: "registry", entries, at: this.#now() }]);
    // A Claude Code that has just started is on the list of runs before claudecodeui knows whose it is.
    if (this.#table.unresolved().length > 0) this.#lookWithin(0);
  }

  async #lookAtRuns(): Promise<void> {
    const at = this.#now();
    const runs = await readRuns(this.#ask);
    this.#observe([{ type: "running", runs, at }]);
    const unresolved = this.#table.unresolved().map((entry) => this.#resolve(entry));
    const undescribed = this.#table.undescribed().map((id) => this.#describe(id));
    await Promise.all([...unresolved, ...undescribed]);
  }

  /** Finds the session in claudecodeui that a Claude Code belongs to; one that belongs to none stands for itself. */
  async #resolve(entry: RegistryEntry): Promise<void> {
    if (this.#looking.has(entry.claudeId)) return;
    this.#looking.add(entry.claudeId);
    try {
      const details = await readDetails(this.#ask, entry.claudeId);
      const unclaimed = entry.terminal || this.#now() - entry.startedAt > UNCLAIMED_MS;
      const id = details?.id ?? (unclaimed ? entry.claudeId : undefined);
      if (id === undefined) return;
      this.#observe([
        { type: "alias", claudeId: entry.claudeId, id },
        { type: "described", id, title: details?.title, project: details?.project },
      ]);
    } finally {
      this.#looking.delete(entry.claudeId);
    }
  }

  async #describe(id: string): Promise<void> {
    const details = await readDetails(this.#ask, id);
    if (!details) return;
    // A session that stood for itself until claudecodeui knew it.
    if (details.id !== id) this.#observe([{ type: "alias", claudeId: id, id: details.id }]);
    this.#observe([{ type: "described", id: details.id, title: details.title, project: details.project }]);
  }

  #pause(): number {
    const unclear = this.#table.unresolved().length > 0;
    if (unclear || this.#table.sessions().some(({ state }) => isLive(state))) return WHILE_LIVE_MS;
    return this.#sockets > 0 ? WHILE_WATCHED_MS : AT_REST_MS;
  }

  /** Brings the next look forward; it is never put off. */
  #lookWithin(ms: number): void {
    const at = this.#now() + ms;
    if (this.#stopped || (this.#timer && this.#nextAt <= at)) return;
    clearTimeout(this.#timer);
    this.#nextAt = at;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#inBackground(this.#lookAtRuns());
    }, ms);
    this.#timer.unref();
  }

  #inBackground(work: Promise<void>): void {
    // Every source answers undefined instead of failing; should one fail after all, the next look tries again.
    work.catch(() => this.#lookWithin(AT_REST_MS));
  }
}
