import { Hono } from "hono";
import { parseLocalPath } from "../auth/next-path.ts";
import { isNavigation } from "../auth/request-source.ts";
import { issueViewerCode } from "../auth/viewer.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { instanceOrigin, isLabel } from "../origins.ts";
import { instanceRoutes, routes } from "../routes.ts";

const BINDING = /^[A-Za-z0-9_-]{43}$/;
const AGAIN = /^[1-9]$/;

/**
 * Sends a signed-in browser to an instance's origin with a code for it. The instance's origin sent it here, with the
 * hash of the nonce it keeps in that browser; without one the browser is sent there to fetch it.
 */
export const openPage = new Hono<HubContext>();

openPage.get(routes.open(":label"), async (c) => {
  // Codes are for a person who opens a page, not for a frame that another page has hidden.
  if (!isNavigation(c.req.raw)) throw new HubError("origin_refused");
  const session = c.get("session");
  const label = c.req.param("label") ?? "";
  if (!isLabel(label)) throw new HubError("not_found");
  const hub = c.env.USER_HUB.getByName(session.userId);
  const instance = await hub.find(session.id, label);
  if (instance === "signed_out") throw new HubError("sign_in_required");
  if (instance?.label !== label) throw new HubError("not_allowed", { message: "You have no such instance." });
  const next = parseLocalPath(c.req.query("next") ?? "/");
  if (next === undefined) throw new HubError("bad_request");
  const origin = instanceOrigin(label, c.env);
  const binding = c.req.query("binding");
  if (origin === undefined) return c.redirect(`${routes.clientProxy(label)}${next}`);
  if (binding === undefined) return c.redirect(`${origin}${next}`);
  if (!BINDING.test(binding)) throw new HubError("bad_request");
  await hub.opened(session.id, label, session.login);
  const grant = { userId: session.userId, sessionId: session.id, label, bindingHash: binding };
  const code = await issueViewerCode(c.env.DB, grant);
  const query = new URLSearchParams({ code, next, ...attemptOf(c.req.query("again")) });
  return c.redirect(`${origin}${instanceRoutes.enter}?${query.toString()}`);
});

/** Which attempt it is: said back to the instance's origin, which thus does not try for ever. */
function attemptOf(again: string | undefined): { again?: string } {
  if (again === undefined) return {};
  if (!AGAIN.test(again)) throw new HubError("bad_request");
  return { again };
}
