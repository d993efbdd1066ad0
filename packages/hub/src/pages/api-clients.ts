import { Hono } from "hono";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";

/** What pages of a version 1 client ask the hub. */
export const apiClients = new Hono<HubContext>();

apiClients.get(routes.clientSocketInfo(":id"), () => {
  throw new HubError("not_found");
});
