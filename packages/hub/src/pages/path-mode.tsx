import { Hono, type Context } from "hono";
import * as v from "valibot";
import { parseLocalPath } from "../auth/next-path.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { CLEARS_STORAGE } from "../security-headers.ts";
import { PathModePage } from "../ui/path-mode.tsx";
import { findInstance, refusal } from "./clients.tsx";
import { readForm } from "./form.ts";
import { findOwnRefusal } from "./own-refusal.ts";

/** What path mode trusts, and where its owner allows it for an instance or takes that back. */
export const pathModePages = new Hono<HubContext>();

pathModePages.get(routes.clientPath(":id"), async (c) => {
  const instance = await findInstance(c);
  const next = nextOf(instance.label, c.req.query("next"));
  const session = c.get("session");
  const refused = await findOwnRefusal(c.env, session, instance);
  const props = { instance, next, session, refused, origins: c.env, now: Date.now() };
  return c.html(<PathModePage {...props} isAsked={c.req.query("next") !== undefined} />);
});

/** `next`: where the instance is opened once it is allowed. */
const FormSchema = v.object({
  path: v.picklist(["allow", "take-back"]),
  next: v.optional(v.string()),
});

pathModePages.post(routes.clientPath(":id"), async (c) => {
  const form = v.safeParse(FormSchema, await readForm(c));
  if (!form.success) throw new HubError("bad_request");
  const label = await decided(c, form.output.path === "allow");
  if (form.output.path === "take-back") c.header(...CLEARS_STORAGE);
  const next = form.output.path === "allow" ? form.output.next : undefined;
  const query = next === undefined ? "" : `?next=${encodeURIComponent(nextOf(label, next))}`;
  return c.redirect(routes.clientPath(label) + query, 303);
});

async function decided(c: Context<HubContext>, isAllowed: boolean): Promise<string> {
  const id = c.req.param("id") ?? "";
  const { userId, login } = c.get("session");
  const action = isAllowed ? "trust_path" : "distrust_path";
  const result = await c.env.USER_HUB.getByName(userId).act(id, { action }, login);
  if ("refused" in result) throw refusal(result.refused, id);
  if (result.done === null) throw new HubError("not_found");
  return result.done.label;
}

/** A path of this instance; its beginning where something else is asked for. */
function nextOf(label: string, path: string | undefined): string {
  const prefix = routes.clientProxy(label);
  const local = parseLocalPath(path);
  return local !== undefined && /^[/?]/.test(local.slice(prefix.length)) && local.startsWith(prefix)
    ? local
    : `${prefix}/`;
}
