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
/** Keeps the cookie within what browsers take. */
const MAX_ABOUT = 5;
const MAX_URL = 1000;

const text = v.pipe(v.string(), v.maxLength(300));

const Refused = v.object({
  /** Each is an error code with its page. */
  code: v.picklist([
    "sign_in_expired",
    "sign_in_cancelled",
    "github_unavailable",
    "not_admitted",
    "invitation_pending",
    "sso_required",
    "app_not_installed",
  ]),
  /** Who they are at GitHub, where that is known. */
  login: v.optional(text),
  /** Names of what would let them in, where they can do something about it. */
  about: v.optional(v.array(text)),
  /** Where they start a single sign-on session, as GitHub gave it: not to be trusted unseen. */
  ssoUrl: v.optional(v.pipe(v.string(), v.maxLength(MAX_URL))),
  /** The allow-list is empty. */
  isPolicyEmpty: v.optional(v.literal(true)),
});

export type Refused = v.InferOutput<typeof Refused>;

const Content = v.object({ refused: Refused, until: v.number() });

/** The `Set-Cookie` that keeps it. */
export async function keepRefusal(
  env: Pick<Env, "HUB_SECRET">,
  refused: Refused,
  now: number = Date.now(),
): Promise<string> {
  const { ssoUrl, about, ...rest } = refused;
  const content = {
    refused: {
      ...rest,
      ...(about === undefined ? {} : { about: about.slice(0, MAX_ABOUT) }),
      ...(ssoUrl === undefined || ssoUrl.length > MAX_URL ? {} : { ssoUrl }),
    },
    until: now + REFUSAL_MS,
  };
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
