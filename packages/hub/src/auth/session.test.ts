import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { cookiePair, HUB } from "../../test/hub.ts";
import { upsertUser } from "../db/users.ts";
import { ABSOLUTE_MS, currentSession, IDLE_MS, SESSION_COOKIE, signIn, signOut } from "./session.ts";

const NOW = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;

beforeAll(async () => {
  await upsertUser(env.DB, { id: "ann", login: "ann", name: "Ann" }, NOW);
});

const withCookie = (cookie: string) => new Request(HUB, { headers: { cookie } });

async function startSession(): Promise<Request> {
  return withCookie(cookiePair(await signIn(new Request(HUB), env, "ann", NOW)));
}

async function lastUsedAt(id: string): Promise<unknown> {
  return env.DB.prepare("SELECT last_used_at FROM sessions WHERE id = ?").bind(id).first("last_used_at");
}

test("the cookie is for this host alone, and not for scripts", async () => {
  const cookie = await signIn(new Request(HUB), env, "ann", NOW);
  expect(SESSION_COOKIE.startsWith("__Host-")).toBe(true);
  expect(cookie.split("; ").slice(1).toSorted()).toEqual(
    ["Path=/", `Max-Age=${ABSOLUTE_MS / 1000}`, "HttpOnly", "Secure", "SameSite=Lax"].toSorted(),
  );
});

test("a session says who is signed in, and a dump of the database cannot sign in", async () => {
  const request = await startSession();
  expect(await currentSession(request, env, NOW)).toMatchObject({ userId: "ann", login: "ann", name: "Ann" });
  const { results } = await env.DB.prepare("SELECT secret_hash FROM sessions").all<{ secret_hash: string }>();
  for (const { secret_hash: hash } of results) {
    expect(await currentSession(withCookie(`${SESSION_COOKIE}=${hash}`), env, NOW)).toBeNull();
  }
});

test("a session ends when it is not used, and at its absolute end even when it is", async () => {
  const idle = await startSession();
  expect(await currentSession(idle, env, NOW + IDLE_MS)).toBeNull();
  const used = await startSession();
  let at = NOW;
  while (at + IDLE_MS / 2 < NOW + ABSOLUTE_MS) {
    at += IDLE_MS / 2;
    expect(await currentSession(used, env, at)).not.toBeNull();
  }
  expect(await currentSession(used, env, NOW + ABSOLUTE_MS)).toBeNull();
});

test("its use is written at most once in five minutes", async () => {
  const request = await startSession();
  const session = await currentSession(request, env, NOW + 4 * MINUTE_MS);
  const id = session?.id ?? "";
  expect(await lastUsedAt(id)).toBe(NOW);
  await currentSession(request, env, NOW + 6 * MINUTE_MS);
  expect(await lastUsedAt(id)).toBe(NOW + 6 * MINUTE_MS);
});

test("signing in again ends the session the browser had", async () => {
  const first = await startSession();
  const second = withCookie(cookiePair(await signIn(first, env, "ann", NOW)));
  expect(await currentSession(first, env, NOW)).toBeNull();
  expect(await currentSession(second, env, NOW)).not.toBeNull();
});

test("a stolen cookie is worth nothing after sign-out", async () => {
  const request = await startSession();
  const session = await currentSession(request, env, NOW);
  if (session === null) throw new Error("not signed in");
  expect(await signOut(env, session)).toContain("Max-Age=0");
  expect(await currentSession(request, env, NOW)).toBeNull();
});
