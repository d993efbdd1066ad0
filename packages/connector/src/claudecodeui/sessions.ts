/**
 * What each Claude session is doing, put together from three witnesses: frames that pass through the connector (instant,
 * but blind to browsers elsewhere), Claude Code's registry and claudecodeui's list of runs (complete, a moment late).
 * Pure: observations in, sessions out, every time passed in.
 *
 * A session is working or waiting when any witness says so and no other has seen that end since. One that ends stays `done`
 * or `failed` until a person opens it or sends it something; one that ends while open in a browser, or in a terminal, was
 * seen ending and goes straight to `idle`, unless it failed. What is idle, has no process and is open nowhere is dropped.
 */
import type { ClaudeSession } from "@ai-orchestrator/protocol";
import type { RegistryEntry } from "./registry.ts";
import {
  createSession,
  isLive,
  liveState,
  type Outcome,
  type Session,
  SLACK_MS,
  type Waiting,
} from "./session-state.ts";

/** `id` is claudecodeui's id of a session; `claudeId` is Claude Code's own. Times are milliseconds since the epoch. */
export type Observation =
  | { type: "started"; id: string; at: number }
  | { type: "asked"; id: string; request: string; state: Waiting; at: number }
  | { type: "answered"; id: string; request: string; at: number }
  | { type: "ended"; id: string; outcome: Outcome; at: number }
  /** The sessions one browser socket shows from now on; none when it has closed. */
  | { type: "viewing"; socket: symbol; ids: string[] }
  | { type: "alias"; claudeId: string; id: string }
  | { type: "described"; id: string; title: string | undefined; project: string | undefined }
  /** All of Claude Code's registry, or undefined where there is none. */
  | { type: "registry"; entries: RegistryEntry[] | undefined; at: number }
  /** All runs claudecodeui has, or undefined where it does not say; `at` is when it was asked. */
  | { type: "running"; runs: { id: string; startedAt: number }[] | undefined; at: number };

/** A title claudecodeui gives to sessions that have none yet. */
const NO_TITLE = "Untitled Session";
const MAX_TITLE = 300;
const MAX_PROJECT = 1024;
/** What the hub is told at most: enough for a glance, and small enough for one message. */
const MAX_SESSIONS = 50;
/** How many of Claude Code's ids are remembered; one forgotten is looked up again. */
const MAX_IDS = 2_000;

export class SessionTable {
  readonly #sessions = new Map<string, Session>();
  readonly #ids = new Map<string, string>();
  readonly #views = new Map<symbol, string[]>();
  #entries: RegistryEntry[] = [];

  /** Takes in what was seen, in order. */
  observe(observation: Observation): void {
    this.#take(observation);
    const at = "at" in observation ? observation.at : undefined;
    for (const session of this.#sessions.values()) this.#settle(session, at);
  }

  /** What is worth telling: everything but sessions that are at rest, over and open nowhere. */
  sessions(): ClaudeSession[] {
    const all = [...this.#sessions.values()];
    const shown = [
      ...all.filter(({ state }) => isLive(state)),
      ...all.filter(({ state }) => !isLive(state)).toReversed(),
    ];
    return shown.slice(0, MAX_SESSIONS).map((session) => ({
      id: session.id,
      ...(session.title === undefined ? {} : { title: session.title }),
      project: session.project ?? "",
      state: session.state,
      since: session.since,
    }));
  }

  /** Registry entries whose session in claudecodeui is not known yet; they are left out until an `alias` says. */
  unresolved(): RegistryEntry[] {
    return this.#entries.filter((entry) => !this.#ids.has(entry.claudeId));
  }

  /** Sessions still without a title or a project. */
  undescribed(): string[] {
    return [...this.#sessions.values()].flatMap(({ id, title, project }) => (title && project ? [] : [id]));
  }

  #take(observation: Observation): void {
    switch (observation.type) {
      case "started":
        return this.#started(observation);
      case "asked":
        return this.#asked(observation);
      case "answered":
        return this.#answered(observation);
      case "ended":
        return this.#ended(observation);
      case "viewing":
        return this.#viewing(observation);
      case "alias":
        return this.#alias(observation.claudeId, observation.id);
      case "described":
        return this.#described(observation);
      case "registry":
        this.#entries = observation.entries ?? [];
        return this.#matchEntries(observation.at);
      case "running":
        return this.#listed(observation);
    }
  }

  #started({ id, at }: Observation & { type: "started" }): void {
    const session = this.#open(id, at);
    session.run ??= { startedAt: at, asked: new Map() };
    session.ending = undefined;
  }

  #asked({ id, request, state, at }: Observation & { type: "asked" }): void {
    const session = this.#open(id, at);
    session.run ??= { startedAt: at, asked: new Map() };
    session.run.asked.set(request, { state, at });
  }

  #answered({ id, request, at }: Observation & { type: "answered" }): void {
    const session = this.#sessions.get(id);
    if (session?.run?.asked.delete(request)) session.settledAt = at;
  }

  #ended({ id, outcome, at }: Observation & { type: "ended" }): void {
    const session = this.#sessions.get(id);
    if (!session?.run) return;
    session.run = undefined;
    session.listed = undefined;
    session.settledAt = at;
    session.ending = outcome;
  }

  #viewing({ socket, ids }: Observation & { type: "viewing" }): void {
    if (ids.length === 0) this.#views.delete(socket);
    else this.#views.set(socket, ids);
    for (const id of ids) {
      const session = this.#sessions.get(id);
      if (session) session.seen = true;
    }
  }

  #alias(claudeId: string, id: string): void {
    const before = this.#ids.get(claudeId);
    if (before === id) return;
    this.#ids.set(claudeId, id);
    if (this.#ids.size > MAX_IDS) this.#ids.delete(this.#ids.keys().next().value ?? "");
    if (before !== undefined) this.#sessions.delete(before);
    this.#matchEntries(0);
  }

  #described({ id, title, project }: Observation & { type: "described" }): void {
    const session = this.#sessions.get(id);
    if (!session) return;
    if (title && title !== NO_TITLE) session.title = title.slice(0, MAX_TITLE);
    if (project) session.project = project.slice(0, MAX_PROJECT);
  }

  #matchEntries(at: number): void {
    const found = this.#entriesById();
    for (const [id, entry] of found) {
      const session = this.#open(id, entry.at);
      session.title ??= entry.title?.slice(0, MAX_TITLE);
      session.project ??= entry.cwd.slice(0, MAX_PROJECT);
      session.terminal = entry.terminal;
    }
    for (const session of this.#sessions.values()) {
      session.entry = found.get(session.id);
      if (session.entry || session.listed || at === 0) continue;
      // A run whose browser left is over when its process is, even where claudecodeui does not list its runs.
      if (!this.#isViewed(session.id)) session.run = undefined;
    }
  }

  #entriesById(): Map<string, RegistryEntry> {
    const pairs = this.#entries.map((entry) => [this.#ids.get(entry.claudeId), entry] as const);
    return new Map(pairs.flatMap(([id, entry]) => (id === undefined ? [] : [[id, entry] as const])));
  }

  #listed({ runs, at }: Observation & { type: "running" }): void {
    if (runs === undefined) return;
    const running = new Map(runs.map((run) => [run.id, run]));
    for (const run of runs) {
      const session = this.#sessions.get(run.id);
      // An answer asked for before the end was seen is old news.
      if (session === undefined || at >= session.settledAt || session.run)
        this.#open(run.id, run.startedAt).listed = run;
    }
    for (const session of this.#sessions.values()) {
      if (running.has(session.id)) continue;
      session.listed = undefined;
      if (session.run && session.run.startedAt + SLACK_MS < at) session.run = undefined;
    }
  }

  #open(id: string, at: number): Session {
    const known = this.#sessions.get(id);
    if (known) return known;
    const session = createSession(id, at);
    this.#sessions.set(id, session);
    return session;
  }

  #isViewed(id: string): boolean {
    return [...this.#views.values()].some((ids) => ids.includes(id));
  }

  /** Brings `state` in line with the witnesses and drops what is at rest. */
  #settle(session: Session, at: number | undefined): void {
    const live = liveState(session);
    if (live) session.seen = false;
    const restingSince = session.entry?.state === "idle" ? session.entry.at : (at ?? session.since);
    const next = live ?? { state: this.#restState(session), at: restingSince };
    if (next.state !== session.state) {
      session.state = next.state;
      session.since = next.at;
    }
    if (session.state === "idle" && !session.entry && !this.#isViewed(session.id))
      this.#sessions.delete(session.id);
  }

  /** How a session is at rest: as it was, or as it has just ended. */
  #restState(session: Session): Outcome {
    if (!isLive(session.state)) return session.seen ? "idle" : session.state;
    // What ends in a terminal was seen there.
    const outcome = session.ending ?? (session.terminal ? "idle" : "done");
    return outcome === "done" && this.#isViewed(session.id) ? "idle" : outcome;
  }
}
