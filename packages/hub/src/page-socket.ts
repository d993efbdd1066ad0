/** What the Worker tells a UserHub, which nobody else can call, with a dashboard's socket: who opens it, and how it is grouped. */
import { GROUPINGS, type Grouping } from "./instance.ts";

const SESSION = "x-page-session";
const UNTIL = "x-page-until";
const GROUPING = "x-page-grouping";
const SINCE = "x-page-since";

export interface PageOpener {
  /** The sign-in by which it is opened. */
  id: string;
  /** Until when the sign-in may be believed without asking anybody, milliseconds since the epoch. */
  until: number;
  /** By what the page puts its cards together; by status where it does not say. */
  grouping?: Grouping;
  /** The revision that the page shows, as `UserHub.board` named it; empty where it shows none. */
  since?: string;
}

export function pageOpenerHeaders({
  id,
  until,
  grouping = "status",
  since = "",
}: PageOpener): Record<string, string> {
  return { [SESSION]: id, [UNTIL]: String(until), [GROUPING]: grouping, [SINCE]: since };
}

export function readPageOpener(headers: Headers): Required<PageOpener> | undefined {
  const [id, until] = [headers.get(SESSION), headers.get(UNTIL)];
  if (id === null || until === null) return undefined;
  const [grouping, since] = [parseGrouping(headers.get(GROUPING)) ?? "status", headers.get(SINCE) ?? ""];
  return { id, until: Number(until), grouping, since };
}

/** A revision as a page says it; empty where that is none. */
export function parseRevision(text: unknown): string {
  return typeof text === "string" && /^[\w-]{36}\.\d{1,15}$/.test(text) ? text : "";
}

/** The grouping of this name, undefined where there is none. */
export function parseGrouping(text: unknown): Grouping | undefined {
  return GROUPINGS.find((grouping) => grouping === text);
}
