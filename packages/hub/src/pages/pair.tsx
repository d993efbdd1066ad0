import { Hono } from "hono";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";

/** Where a person says the code that an instance without a token shows, sees what asks, and approves it or not. */
export const pairPages = new Hono<HubContext>();

pairPages.get(routes.pair, () => {
  throw new HubError("not_found");
});
pairPages.post(routes.approvePairing, () => {
  throw new HubError("not_found");
});
pairPages.post(routes.denyPairing, () => {
  throw new HubError("not_found");
});
