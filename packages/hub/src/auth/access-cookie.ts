/**
 * Who is signed in, in a cookie that is read without a database. It is believed for `ACCESS_MS` after it was issued; then
 * the session cookie beside it is checked in D1 and this one issued anew. A sign-in that ends sooner is remembered by the
 * person's UserHub for that long.
 */
import type { Env } from "../env.ts";
import { HUB_COOKIE_PREFIX, readCookie, serializeCookie } from "./cookies.ts";
import { readSignedValue, signValue } from "./keys.ts";
import type { Role } from "./policy.ts";

/** Cookies that are read without a database are believed for as long after they were issued. */
export const ACCESS_MS = 5 * 60 * 1000;
export const ACCESS_COOKIE = `${HUB_COOKIE_PREFIX}access`;

/** A cookie that is believed for longer than ours by more than this was not issued by us. */
const CLOCK_SKEW_MS = 60_000;
const MAX_COOKIE_LENGTH = 4096;
/** Keeps the cookie within what browsers take. */
const MAX_NAME_LENGTH = 100;

/** Who is signed in, and by which sign-in. */
export interface Session {
  id: string;
  userId: string;
  login: string;
  name: string;
  role: Role;
  /** Until when this may be believed without asking anybody: `ACCESS_MS` at most, milliseconds since the epoch. */
  until: number;
}

/** The `Set-Cookie` that says so. */
export async function accessCookie(env: Env, session: Session): Promise<string> {
  const { id, userId, login, name, role, until } = session;
  const value = [id, userId, login, name.slice(0, MAX_NAME_LENGTH), role, until];
  return serializeCookie(ACCESS_COOKIE, await signValue(env, "access-cookie", value), ACCESS_MS / 1000);
}

/** What a request's access cookie says; null where there is none, or it is forged or no longer fresh. */
export async function readAccessCookie(request: Request, env: Env, now: number): Promise<Session | null> {
  const session = await readFormerSession(request, env, now);
  return session !== null && now < session.until ? session : null;
}

/** As `readAccessCookie`, and whose cookie it was while a browser may still keep it: for telling them so, and no more. */
export async function readFormerSession(request: Request, env: Env, now: number): Promise<Session | null> {
  const text = readCookie(request, ACCESS_COOKIE);
  if (text === undefined || text.length > MAX_COOKIE_LENGTH) return null;
  const session = parseContent(await readSignedValue(env, "access-cookie", text));
  if (session === null || session.until > now + ACCESS_MS + CLOCK_SKEW_MS) return null;
  return now < session.until + ACCESS_MS ? session : null;
}

/** It was signed by us, so its shape is known; null only if an older version of the hub signed another. */
function parseContent(value: unknown): Session | null {
  if (!Array.isArray(value)) return null;
  const [id, userId, login, name, role, until] = value as unknown[];
  if (typeof id !== "string" || typeof userId !== "string") return null;
  if (typeof login !== "string" || typeof name !== "string" || typeof until !== "number") return null;
  if (role !== "member" && role !== "admin") return null;
  return { id, userId, login, name, role, until };
}
