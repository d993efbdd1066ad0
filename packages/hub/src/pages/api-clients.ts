import { Hono } from "hono";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { findInstance } from "./clients.tsx";

/** What pages of a version 1 client ask the hub: where the WebSocket of their instance is, named by its label or client id. */
export const apiClients = new Hono<HubContext>();

apiClients.get(routes.clientSocketInfo(":id"), async (c) => {
  const { label } = await findInstance(c);
  const address = new URL(routes.clientProxy(label), c.env.HUB_ORIGIN);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return c.json({ ws_base: address.href, is_local: false });
});
