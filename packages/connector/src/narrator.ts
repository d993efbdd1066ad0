/** Puts what happens to a connection into words, a line for each thing: what the command prints and the log keeps. */
import type { Absence, ConnectionErrorCode, LogLine } from "@ai-orchestrator/protocol";
import type { Clocks } from "./gap.ts";
import { MAX_RETRY_MS } from "./retry-after.ts";

export interface Said {
  kind: "connecting" | "connected" | "lost" | "sent_away" | "stopped" | "note" | "status";
  level: LogLine["level"];
  text: string;
}

/** While it lasts, a condition that was said is not said again; only this often, in milliseconds, that it still lasts. */
const REMIND_MS = 60 * 60 * 1000;
/** Beyond this many conditions only the reminder tells. */
const MAX_CONDITIONS = 5;
/** A connection ends the trouble before it once it has lasted this long, in milliseconds. */
const LASTS_MS = 5 * 60 * 1000;

/** From a connection that is lost, or not made, to one that lasts. */
interface Trouble {
  /** Milliseconds since the epoch. */
  since: number;
  /** Connections and dials that ended. */
  ends: number;
  /** What was said of it, without its numbers. */
  conditions: Set<string>;
  saidAt: number;
  /** True where connections are made, and do not last. */
  isUnsteady: boolean;
}

export class Narrator {
  readonly #clocks: Pick<Clocks, "wall" | "monotonic">;
  #state: "new" | "connected" | "lost" | "sent_away" = "new";
  #trouble: Trouble | undefined;
  /** When the connection of now was made. */
  #connectedAt = 0;
  /** Said once the connection lasts. */
  #held: Said | undefined;
  #status = "";
  #wasConnected = false;

  constructor(clocks: Pick<Clocks, "wall" | "monotonic">) {
    this.#clocks = clocks;
  }

  connecting(url: string, clientId: string): Said {
    return { kind: "connecting", level: "info", text: `Connecting to ${url} as ${clientId}` };
  }

  /** Undefined while connections do not last; `look` says it later. */
  connected(url: string, absence: Absence | undefined): Said | undefined {
    const how =
      this.#state === "sent_away" ? "Let back" : this.#wasConnected ? "Connected again" : "Connected";
    const why = absence === undefined ? "" : ` (${absenceText(absence)})`;
    this.#wasConnected = true;
    this.#state = "connected";
    this.#connectedAt = this.#clocks.monotonic();
    const said: Said = { kind: "connected", level: "info", text: `${how}: ${url}${why}` };
    if (this.#trouble?.isUnsteady !== true) return said;
    this.#held = said;
    return undefined;
  }

  /** What has become worth saying by itself. To be called now and then. */
  look(): Said | undefined {
    if (this.#state !== "connected" || this.#trouble === undefined) return undefined;
    if (this.#clocks.monotonic() - this.#connectedAt < LASTS_MS) return undefined;
    this.#trouble = undefined;
    const held = this.#held;
    this.#held = undefined;
    return held;
  }

  /** Undefined for what was said before of the same trouble: that is one event, however often it comes. */
  disconnected(code: string, message: string, retryMs: number): Said | undefined {
    // What lasted until now was no trouble, though nobody looked.
    this.look();
    const wasConnected = this.#state === "connected";
    this.#state = "lost";
    this.#held = undefined;
    const trouble = (this.#trouble ??= newTrouble(this.#clocks.wall()));
    trouble.ends++;
    if (wasConnected && trouble.ends > 1) trouble.isUnsteady = true;
    const what = wasConnected ? (trouble.isUnsteady ? "unsteady" : "lost") : "none";
    const why = withoutDot(message || code);
    const now = this.#clocks.monotonic();
    const condition = `${what} ${why.replaceAll(/\d+/g, "")}`;
    const isNew = !trouble.conditions.has(condition) && trouble.conditions.size < MAX_CONDITIONS;
    if (!isNew && now - trouble.saidAt < REMIND_MS) return undefined;
    trouble.saidAt = now;
    trouble.conditions.add(condition);
    const text = isNew ? news(what, why, retryMs) : this.#reminder(trouble, why);
    return { kind: "lost", level: "warning", text };
  }

  sentAway(): Said {
    this.#state = "sent_away";
    this.#trouble = undefined;
    this.#held = undefined;
    const text = "Sent away by its owner. It asks every minute whether it may return.";
    return { kind: "sent_away", level: "warning", text };
  }

  stopped(code: ConnectionErrorCode, message: string): Said {
    const next = NEXT_STEP[code] ?? "Start again to connect again.";
    return {
      kind: "stopped",
      level: "error",
      text: `Stopped by the hub: ${withoutDot(message || code)}. ${next}`,
    };
  }

  note(message: string): Said {
    return { kind: "note", level: "warning", text: `Note: ${message}` };
  }

  /** Undefined where the words are the same: a session that changes without changing them is no news here. */
  status(status: string, needsPerson: number): Said | undefined {
    const needs = needsPerson > 0 ? `, ${needsPerson} ${needsPerson === 1 ? "needs" : "need"} you` : "";
    const text = `Status: ${status}${needs}`;
    if (text === this.#status) return undefined;
    this.#status = text;
    return { kind: "status", level: "info", text };
  }

  #reminder({ since, ends, isUnsteady }: Trouble, why: string): string {
    const lasted = duration(Math.max(0, this.#clocks.wall() - since));
    const what = isUnsteady ? "No connection that lasts" : "No connection";
    return `${what} for ${lasted}, since ${new Date(since).toISOString().slice(0, 16).replace("T", " ")} UTC, after ${ends} attempts: ${why}. It goes on trying.`;
  }
}

function newTrouble(since: number): Trouble {
  return { since, ends: 0, conditions: new Set(), saidAt: 0, isUnsteady: false };
}

const NEWS = {
  none: (why: string, when: string) => `No connection: ${why}. Trying again ${when}, and until it works.`,
  lost: (why: string, when: string) => `Connection lost: ${why}. Trying again ${when}, and until it works.`,
  unsteady: (why: string) =>
    `The connection does not last: ${why}. It is made again each time; the next line comes when it lasts ${duration(LASTS_MS)}.`,
};

function news(what: keyof typeof NEWS, why: string, retryMs: number): string {
  return NEWS[what](why, inTime(retryMs));
}

const NEXT_STEP: Partial<Record<ConnectionErrorCode, string>> = {
  unauthorized: "Check ORCHESTRATOR_TOKEN, or make a new token on the hub's page for tokens.",
  token_revoked: "Make a new token on the hub's page for tokens.",
  replaced: "Another connector with this id took over; give one of them another --client-id.",
  too_many_instances:
    "Disconnect and forget some on the hub's dashboard that are not needed, then start again; one that starts with a new --client-id each time takes a new place each time.",
  unsupported_version: "Hub and connector speak different versions; update the older one.",
};

const ABSENCES: Record<Absence["cause"], string> = {
  asleep: "this machine slept for",
  frozen: "this process did not run for",
  network: "there was no way to the hub for",
};

function absenceText({ cause, since, until }: Absence): string {
  return `${ABSENCES[cause]} ${duration(until - since)}`;
}

function inTime(ms: number): string {
  return ms < 500 ? "at once" : `in ${duration(Math.min(ms, MAX_RETRY_MS))}`;
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Hubs say sentences; here they stand inside one. */
function withoutDot(message: string): string {
  return message.replace(/\.$/, "");
}
