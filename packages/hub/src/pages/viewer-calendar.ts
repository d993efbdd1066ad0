/** In which time zone somebody reads: their browser's, which a script keeps in a cookie, else what the edge knows, else UTC. */
import type { Context } from "hono";
import { HUB_COOKIE_PREFIX, readCookie } from "../auth/cookies.ts";
import type { HubContext } from "../hono.ts";
import { createCalendar, UTC, type Calendar } from "../ui/calendar.ts";

/** Written by app.js. */
const ZONE_COOKIE = `${HUB_COOKIE_PREFIX}time-zone`;

export function viewerCalendar({ req }: Context<HubContext>): Calendar {
  const edge: object = req.raw.cf ?? {};
  const fromEdge = "timezone" in edge && typeof edge.timezone === "string" ? edge.timezone : UTC;
  return createCalendar(readCookie(req.raw, ZONE_COOKIE) ?? fromEdge);
}
