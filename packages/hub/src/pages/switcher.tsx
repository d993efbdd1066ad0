import { Hono, type Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { parseLocalPath } from "../auth/next-path.ts";
import { errorMeaning } from "../error-codes.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { inOrder } from "../instance.ts";
import { instanceOrigin, isLabel } from "../origins.ts";
import { routes } from "../routes.ts";
import { SwitcherFrame, SwitcherNotice, SwitcherOptions } from "../ui/switcher.tsx";
import type { View } from "../ui/view.ts";

/** Every instance to go to: options for the command palette, and with `?from=<label>` the page in the frame of that instance's mark. */
export const switcherPages = new Hono<HubContext>();

switcherPages.get(routes.switcher, async (c) => {
  const session = c.get("session");
  const listed = await c.env.USER_HUB.getByName(session.userId).list(session.id);
  if (listed === "signed_out") throw new HubError("sign_in_required");
  const instances = inOrder(listed);
  const view = viewOf(c);
  const from = c.req.query("from");
  if (from === undefined) return c.html(<SwitcherOptions instances={instances} view={view} />);
  // No page may show it but that of one's own instance, where hiding the mark leads back to.
  const own = instances.find(({ label }) => label === from);
  const isPathMode = isInPathMode(c);
  const around =
    own === undefined || (isPathMode && !own.pathTrusted) ? undefined : originAround(c, own.label);
  c.set("frameAncestor", around);
  c.set("formTarget", around);
  const next = own === undefined ? undefined : parseLocalPath(c.req.query("next"));
  const props = { instances, view, from: own?.label, next, around, isPathMode };
  return c.html(<SwitcherFrame {...props} />);
});

/** The mark of a page that runs on the hub's own origin says so: see `<prefix>/.orchestrator/switcher`. */
function isInPathMode({ req }: Context<HubContext>): boolean {
  return req.query("mode") === "path";
}

/** Origin of the page around the frame. */
function originAround(c: Context<HubContext>, label: string): string | undefined {
  return isInPathMode(c) ? new URL(c.env.HUB_ORIGIN).origin : instanceOrigin(label, c.env);
}

/** True of what the mark's frame asks for. */
export function isForFrame({ req }: Context<HubContext>): boolean {
  const isPage = (req.header("accept") ?? "").includes("text/html");
  return isPage && req.path === routes.switcher && isLabel(req.query("from") ?? "");
}

/**
 * Why the frame shows no list. There is nobody to ask whose instance it is, and nothing in it that is anybody's: the page of
 * any instance may show it. A redirect would end at a page that no frame shows.
 */
export function frameError(c: Context<HubContext>, { code, detail }: HubError) {
  c.set("frameAncestor", originAround(c, c.req.query("from") ?? ""));
  const { status, happened, next } = errorMeaning(code);
  const notice = code === "sign_in_required" ? signedOutNotice(c) : undefined;
  const words = notice ?? { text: `${detail.message ?? happened} ${next}`, link: "Dashboard" };
  return c.html(<SwitcherNotice {...words} view={viewOf(c)} />, status as ContentfulStatusCode);
}

/** Browsers send no cookies into a frame on another site, whoever is signed in. */
function signedOutNotice({ req }: Context<HubContext>) {
  return req.header("sec-fetch-site") === "cross-site"
    ? { text: "Your other instances are on the dashboard.", link: "Dashboard" }
    : { text: "Your sign-in has ended.", link: "Sign in at the hub" };
}

function viewOf({ env }: Context<HubContext>): View {
  return { now: Date.now(), origins: env };
}
