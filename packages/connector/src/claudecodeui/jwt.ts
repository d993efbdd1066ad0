/** The little of JSON Web Tokens that signing in to claudecodeui takes: HS256, and reading when a token ends. */
import { createHmac } from "node:crypto";
import * as v from "valibot";

const LIFETIME_SECONDS = 7 * 24 * 60 * 60;

const TimesSchema = v.object({ iat: v.optional(v.number()), exp: v.optional(v.number()) });

/** When a token was issued and ends, in milliseconds since the epoch; `undefined` where it does not say. */
export interface TokenTimes {
  issuedAt: number | undefined;
  expiresAt: number | undefined;
}

/** Signs a token for one claudecodeui user, valid for seven days as its own are. `nowMs` is in milliseconds. */
export function signToken(user: { id: number; username: string }, secret: string, nowMs: number): string {
  const iat = Math.floor(nowMs / 1000);
  const claims = { userId: user.id, username: user.username, iat, exp: iat + LIFETIME_SECONDS };
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}

/** True for anything with the shape of a token: three base64url parts. */
export function isTokenShaped(value: unknown): value is string {
  return typeof value === "string" && /^[\w-]+\.[\w-]+\.[\w-]+$/.test(value);
}

/** Reads a token's times without checking its signature; a token that cannot be read has none. */
export function readTokenTimes(token: string): TokenTimes {
  const times = v.safeParse(TimesSchema, decode(token.split(".")[1] ?? ""));
  if (!times.success) return { issuedAt: undefined, expiresAt: undefined };
  const { iat, exp } = times.output;
  return { issuedAt: toMs(iat), expiresAt: toMs(exp) };
}

const encode = (value: object): string => Buffer.from(JSON.stringify(value)).toString("base64url");
const toMs = (seconds: number | undefined) => (seconds === undefined ? undefined : seconds * 1000);

function decode(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, "base64url").toString("utf8"));
  } catch {
    return undefined;
  }
}
