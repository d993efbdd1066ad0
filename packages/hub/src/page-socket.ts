/** What the Worker tells a UserHub, which nobody else can call, with a dashboard's socket: who opens it, and how it is grouped. */
import { GROUPINGS, type Grouping } from "./instance.ts";

const SESSION = "x-page-session";
const UNTIL = "x-page-until";
const GROUPING = "x-page-grouping";

export interface PageOpener {
  /** The sign-in by which it is opened. */
  id: string;
  /** Until when the sign-in may be believed without asking anybody, milliseconds since the epoch. */
  until: number;
  /** By what the page puts its cards together; by status where it does not say. */
  grouping?: Grouping;
}

export function pageOpenerHeaders({ id, until, grouping = "status" }: PageOpener): Record<string, string> {
  return { [SESSION]: id, [UNTIL]: String(until), [GROUPING]: grouping };
}

export function readPageOpener(headers: Headers): Required<PageOpener> | undefined {
  const [id, until] = [headers.get(SESSION), headers.get(UNTIL)];
  if (id === null || until === null) return undefined;
  return { id, until: Number(until), grouping: parseGrouping(headers.get(GROUPING)) ?? "status" };
}

/** The grouping of this name, undefined where there is none. */
export function parseGrouping(text: unknown): Grouping | undefined {
  return GROUPINGS.find((grouping) => grouping === text);
}
