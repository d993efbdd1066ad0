/**
 * Why a sign-in at GitHub came to nothing, kept for the browser it happened in: the page that says so has an address of its
 * own, so that GitHub's code stays in no history.
 */
import * as v from "valibot";
import type { Env } from "../env.ts";
import { HUB_COOKIE_PREFIX, readCookie, serializeCookie } from "./cookies.ts";
import { readSignedValue, signValue } from "./keys.ts";

const REFUSAL_COOKIE = `${HUB_COOKIE_PREFIX}refusal`;
const REFUSAL_MS = 10 * 60_000;
/** Keep the cookie within what browsers take. */
const MAX_ABOUT = 3;
const MAX_LOGIN = 100;
const MAX_URL = 1000;

const login = v.string();
/** Names of what would let them in if they, or somebody, did something about it. */
const about = v.array(v.string());

/** Each code is an error code with its page; `login` is who they are at GitHub. */
const Refused = v.variant("code", [
  v.object({ code: v.picklist(["sign_in_expired", "sign_in_cancelled", "github_unavailable"]) }),
  v.object({ code: v.literal("too_many_requests"), retryAfterSeconds: v.number() }),
  v.object({ code: v.literal("not_admitted"), login, isPolicyEmpty: v.boolean() }),
  v.object({ code: v.picklist(["invitation_pending", "app_not_installed"]), login, about }),
  // `ssoUrl` is where they start a session, as GitHub gave it: not to be trusted unseen.
  v.object({ code: v.literal("sso_required"), login, about, ssoUrl: v.nullable(v.string()) }),
]);

export type Refused = v.InferOutput<typeof Refused>;

const Content = v.object({ refused: Refused, until: v.number() });

/** The `Set-Cookie` that keeps it. */
export async function keepRefusal(
  env: Pick<Env, "HUB_SECRET">,
  refused: Refused,
  now: number = Date.now(),
): Promise<string> {
  const content = { refused: shortened(refused), until: now + REFUSAL_MS };
  return serializeCookie(REFUSAL_COOKIE, await signValue(env, "refusal-cookie", content), REFUSAL_MS / 1000);
}

/** The `Set-Cookie` that forgets it. */
export function forgetRefusal(): string {
  return serializeCookie(REFUSAL_COOKIE, "", 0);
}

/** Why this browser's last sign-in came to nothing; null where there is nothing to say. */
export async function keptRefusal(
  request: Request,
  env: Pick<Env, "HUB_SECRET">,
  now: number = Date.now(),
): Promise<Refused | null> {
  const kept = readCookie(request, REFUSAL_COOKIE);
  if (kept === undefined) return null;
  const content = v.safeParse(Content, await readSignedValue(env, "refusal-cookie", kept));
  return content.success && now < content.output.until ? content.output.refused : null;
}

function shortened(refused: Refused): Refused {
  const short = { ...refused };
  if ("login" in short) short.login = short.login.slice(0, MAX_LOGIN);
  if ("about" in short) short.about = short.about.slice(0, MAX_ABOUT);
  if ("ssoUrl" in short && (short.ssoUrl?.length ?? 0) > MAX_URL) short.ssoUrl = null;
  return short;
}
