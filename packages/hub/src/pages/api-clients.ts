import { Hono } from "hono";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";

/** What pages of a version 1 client ask the hub: where the WebSocket of their instance is, named by its label or client id. */
export const apiClients = new Hono<HubContext>();

apiClients.get(routes.clientSocketInfo(":id"), async (c) => {
  const session = c.get("session");
  const found = await c.env.USER_HUB.getByName(session.userId).find(session.id, c.req.param("id") ?? "");
  if (found === "signed_out") throw new HubError("sign_in_required");
  if (found === null) throw new HubError("not_found");
  const address = new URL(routes.clientProxy(found.label), c.env.HUB_ORIGIN);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return c.json({ ws_base: address.href, is_local: false });
});
