import { Hono } from "hono";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";

/** What path mode trusts, and where its owner allows it for an instance or takes that back. */
export const pathModePages = new Hono<HubContext>();

pathModePages.get(routes.clientPath(":id"), () => {
  throw new HubError("not_found");
});
pathModePages.post(routes.clientPath(":id"), () => {
  throw new HubError("not_found");
});
