/** The words people read, the same everywhere. */
import type { Status } from "@ai-orchestrator/protocol";
import type { CardState, Counts, Lane } from "../instance.ts";

export const STATE_WORDS: Record<CardState, string> = {
  working: "working",
  needs_permission: "needs permission",
  needs_answer: "needs an answer",
  done: "done",
  failed: "failed",
  idle: "idle",
  unreachable: "unreachable",
};

export const LANE_WORDS: Record<Lane, string> = {
  "needs-you": "Needs you",
  done: "Done",
  working: "Working",
  quiet: "Quiet",
  unreachable: "Unreachable",
};

/** What a status means, for those who wonder about the word. */
export const STATUS_MEANINGS: Record<Status, string> = {
  idle: "nobody is connected to it",
  active: "a browser is connected to it",
  busy: "Claude is at work in it",
};

const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;

/** A duration at a glance: "now" under ten seconds, then "40 s", "3 min", "5 h", "2 d". app.js says the same. */
export function durationWords(ms: number): string {
  if (ms < 10 * SECOND_MS) return "now";
  if (ms < MINUTE_MS) return `${Math.floor(ms / (10 * SECOND_MS)) * 10} s`;
  if (ms < HOUR_MS) return `${Math.floor(ms / MINUTE_MS)} min`;
  if (ms < DAY_MS) return `${Math.floor(ms / HOUR_MS)} h`;
  return `${Math.floor(ms / DAY_MS)} d`;
}

/** How long until something happens, rounded: "in 10 s" at the end, "in 3 min", "in 5 h", "in 30 d". app.js says the same. */
export function untilWords(ms: number): string {
  const unit = [DAY_MS, HOUR_MS, MINUTE_MS].find((one) => ms >= one) ?? 10 * SECOND_MS;
  return `in ${durationWords(Math.max(1, Math.round(ms / unit)) * unit)}`;
}

/** The title of the browser's tab: what needs a look, first. */
export function tabTitle(counts: Counts): string {
  const parts = [
    counts.needsYou > 0 ? `${counts.needsYou} need${counts.needsYou === 1 ? "s" : ""} you` : "",
    counts.done > 0 ? `${counts.done} done` : "",
    counts.busy > 0 ? `${counts.busy} busy` : "",
    counts.active > 0 ? `${counts.active} active` : "",
  ].filter((part) => part !== "");
  return parts.length === 0 ? "Orchestrator" : `${parts.join(", ")} · Orchestrator`;
}

const MAX_PATH = 32;
/** Of those, the characters before the part that is kept: `~/…/`. */
const CUT = 4;

/** A path that fits a card's line: cut in the middle, the end kept, because that is what tells paths apart. */
export function shortPath(path: string): string {
  const home = path.replace(/^(?:\/home|\/Users)\/[^/]+(?=\/|$)/, "~");
  if (home.length <= MAX_PATH) return home;
  const parts = home.split("/");
  let tail = parts.at(-1) ?? "";
  for (const part of parts.slice(1, -1).toReversed()) {
    if (CUT + part.length + 1 + tail.length > MAX_PATH) break;
    tail = `${part}/${tail}`;
  }
  // A cut through the middle of a character leaves half of it, which is dropped.
  const end = tail.slice(CUT - MAX_PATH).replace(/^[\udc00-\udfff]/, "");
  return `${parts[0] === "~" ? "~" : ""}/…/${end}`;
}
