/** What the Worker tells a UserHub, which nobody else can call, with a dashboard's socket: by which sign-in it is opened. */
const SESSION = "x-page-session";
const UNTIL = "x-page-until";

export interface PageOpener {
  id: string;
  /** Until when the sign-in may be believed without asking anybody, milliseconds since the epoch. */
  until: number;
}

export function pageOpenerHeaders({ id, until }: PageOpener): Record<string, string> {
  return { [SESSION]: id, [UNTIL]: String(until) };
}

export function readPageOpener(headers: Headers): PageOpener | undefined {
  const [id, until] = [headers.get(SESSION), headers.get(UNTIL)];
  return id === null || until === null ? undefined : { id, until: Number(until) };
}
