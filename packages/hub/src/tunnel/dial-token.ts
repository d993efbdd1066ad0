/** Who dials: whether a token is good for an instance, and whether its owner may use the hub. Bad tokens are counted exactly. */
import { countExact } from "../auth/rate-limits.ts";
import { findAdmitted } from "../auth/session.ts";
import { verifyInstanceToken, type TokenHolder, type TokenRefusal } from "../auth/token.ts";
import type { Env } from "../env.ts";
import { refuseDial } from "./dial-refusal.ts";

/** When a connector asks again whether its owner may use the hub. */
const NOT_ADMITTED_RETRY_SECONDS = 300;

const REFUSALS: Record<TokenRefusal, string> = {
  malformed: "This is no token of a hub, or a part of it is missing.",
  unknown: "This hub does not know the token.",
  revoked: "The token was revoked.",
  expired: "The token has expired.",
};

/** `unauthorized` is for good; the others may end by themselves. */
export interface RefusedToken {
  status: number;
  code: "unauthorized" | "not_admitted" | "rate_limited";
  message: string;
  retryAfterSeconds?: number;
}

export async function checkDialToken(
  request: Request,
  env: Env,
  text: string,
): Promise<{ holder: TokenHolder } | { refused: RefusedToken }> {
  const verified = await verifyInstanceToken(env.DB, text);
  if ("refused" in verified) {
    const counted = await countExact(env, "bad-token", request);
    if (!counted.allowed) return { refused: tooManyFrom(counted.retryAfterSeconds) };
    return unauthorized(REFUSALS[verified.refused]);
  }
  const holder = verified.ok;
  if (!holder.scopes.includes("connect"))
    return unauthorized("The token is not for instances: it lacks the scope connect.");
  if ((await findAdmitted(env, holder.userId, holder.admission, Date.now())) !== null) return { holder };
  const message = "The owner of the token may not use this hub now; when they sign in there, it says why.";
  const retryAfterSeconds = NOT_ADMITTED_RETRY_SECONDS;
  return { refused: { status: 403, code: "not_admitted", message, retryAfterSeconds } };
}

/** Of an address. */
export function tooManyFrom(retryAfterSeconds: number): RefusedToken {
  const message = "There were too many attempts from this address.";
  return { status: 429, code: "rate_limited", message, retryAfterSeconds };
}

/** As an answer to the upgrade. */
export function refused({ status, code, message, retryAfterSeconds }: RefusedToken): Response {
  return refuseDial(status, code, message, retryAfterSeconds);
}

function unauthorized(message: string): { refused: RefusedToken } {
  return { refused: { status: 401, code: "unauthorized", message } };
}
