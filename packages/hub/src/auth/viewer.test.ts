import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { admit } from "../../test/hub.ts";
import { createSession, deleteSessions } from "../db/sessions.ts";
import { setShowsMark, upsertUser } from "../db/users.ts";
import { signValue } from "./keys.ts";
import { findLiveSession } from "./session.ts";
import {
  bindingHash,
  findLiveViewer,
  issueViewerCode,
  readViewerCookie,
  redeemViewerCode,
  signViewerCookie,
} from "./viewer.ts";

const NOW = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;
const label = "laptop-abcdefghij";
const nonce = "nonce-of-this-browser";
const viewer = { userId: "github:1", login: "ann", sessionId: "session-1", showsMark: true };

beforeAll(async () => {
  await upsertUser(env.DB, { id: viewer.userId, login: viewer.login, name: "Ann" }, NOW);
  await admit(viewer.userId, "member", NOW);
  await startSession(viewer.sessionId);
});

async function startSession(id: string): Promise<void> {
  await createSession(env.DB, {
    id,
    secret: `secret of ${id}`,
    userId: viewer.userId,
    userAgent: "",
    ip: null,
    place: null,
    now: NOW,
    expiresAt: NOW + 60 * MINUTE_MS,
  });
}

async function issue(sessionId = viewer.sessionId): Promise<string> {
  const grant = { userId: viewer.userId, sessionId, label, bindingHash: await bindingHash(nonce) };
  return issueViewerCode(env.DB, grant, NOW);
}

test("a code is traded once, by the browser that asked, at the instance it is for", async () => {
  const code = await issue();
  expect(await redeemViewerCode(env, { code, label, nonce }, NOW)).toEqual({
    ...viewer,
    until: NOW + 5 * MINUTE_MS,
  });
  expect(await redeemViewerCode(env, { code, label, nonce }, NOW)).toBeNull();
});

test.each([
  ["another browser", { label, nonce: "nonce-of-another" }, NOW],
  ["another instance", { label: "other-abcdefghij", nonce }, NOW],
  ["a minute later", { label, nonce }, NOW + MINUTE_MS],
])("a code is worth nothing in %s, and is used up by the attempt", async (_case, place, at) => {
  const code = await issue();
  expect(await redeemViewerCode(env, { code, ...place }, at)).toBeNull();
  expect(await redeemViewerCode(env, { code, label, nonce }, NOW)).toBeNull();
});

test("of two who present a code at once only one gets in", async () => {
  const code = await issue();
  const attempts = Array.from({ length: 5 }, () => redeemViewerCode(env, { code, label, nonce }, NOW));
  const viewers = (await Promise.all(attempts)).filter((result) => result !== null);
  expect(viewers).toEqual([{ ...viewer, until: NOW + 5 * MINUTE_MS }]);
});

test("a code of a sign-in that has ended is worth nothing", async () => {
  await startSession("session-2");
  const code = await issue("session-2");
  await deleteSessions(env.DB, viewer.userId, ["session-2"]);
  expect(await redeemViewerCode(env, { code, label, nonce }, NOW)).toBeNull();
});

test("a viewer is believed no longer than GitHub's answer about them counts", async () => {
  await admit(viewer.userId, "member", NOW - 59 * MINUTE_MS);
  const found = await redeemViewerCode(env, { code: await issue(), label, nonce }, NOW);
  const cookie = await signViewerCookie(env, { ...viewer, label, until: found?.until ?? 0 });
  expect(await readViewerCookie(env, label, cookie, NOW + MINUTE_MS - 1)).toMatchObject({ fresh: true });
  expect(await readViewerCookie(env, label, cookie, NOW + MINUTE_MS)).toMatchObject({ fresh: false });
  await admit(viewer.userId, "member", NOW);
});

test("neither codes nor nonces are stored", async () => {
  const code = await issue();
  const { results } = await env.DB.prepare("SELECT * FROM one_time_codes").all();
  const dump = JSON.stringify(results);
  expect(results.length).toBeGreaterThan(0);
  expect(dump).not.toContain(code);
  expect(dump).not.toContain(nonce);
});

test("a cookie is fresh for five minutes and readable after", async () => {
  const cookie = await signViewerCookie(env, { ...viewer, label, until: NOW + 5 * MINUTE_MS });
  expect(await readViewerCookie(env, label, cookie, NOW)).toEqual({
    viewer,
    until: NOW + 5 * MINUTE_MS,
    fresh: true,
  });
  expect(await readViewerCookie(env, label, cookie, NOW + 5 * MINUTE_MS - 1)).toEqual({
    viewer,
    until: NOW + 5 * MINUTE_MS,
    fresh: true,
  });
  expect(await readViewerCookie(env, label, cookie, NOW + 5 * MINUTE_MS)).toEqual({
    viewer,
    until: NOW + 5 * MINUTE_MS,
    fresh: false,
  });
});

test("a cookie of another instance, another key, or another hand is refused", async () => {
  const cookie = await signViewerCookie(env, { ...viewer, label, until: NOW + 5 * MINUTE_MS });
  const [payload = "", signature = ""] = cookie.split(".");
  const forged = btoa(JSON.stringify(["github:2", "eve", "session-1", label, NOW])).replaceAll("=", "");
  const otherKey = { HUB_SECRET: "another-secret-that-is-also-long-enough-for-this" };
  expect(await readViewerCookie(env, "other-abcdefghij", cookie, NOW)).toBeNull();
  expect(await readViewerCookie(otherKey, label, cookie, NOW)).toBeNull();
  expect(await readViewerCookie(env, label, `${forged}.${signature}`, NOW)).toBeNull();
  expect(await readViewerCookie(env, label, cookie, NOW - 2 * MINUTE_MS)).toBeNull();
  for (const text of ["", ".", payload, `${payload}.`, `${payload}.!`, `${cookie}.x`, "x".repeat(5000)]) {
    expect(await readViewerCookie(env, label, text, NOW)).toBeNull();
  }
});

test("the session behind a stale cookie is asked after", async () => {
  const { sessionId, userId } = viewer;
  expect(await findLiveSession(env, { sessionId, userId }, NOW)).toMatchObject({ id: sessionId, userId });
  expect(await findLiveSession(env, { sessionId, userId: "github:2" }, NOW)).toBeNull();
  expect(await findLiveSession(env, { sessionId, userId }, NOW + 61 * MINUTE_MS)).toBeNull();
});

test("whether the mark is wanted is asked with each new cookie, and by default it is", async () => {
  const enter = async () => redeemViewerCode(env, { code: await issue(), label, nonce }, NOW);
  expect(await enter()).toMatchObject({ showsMark: true });
  await setShowsMark(env.DB, viewer.userId, false);
  expect(await enter()).toMatchObject({ showsMark: false });
  const until = NOW + 5 * MINUTE_MS;
  const cookie = await signViewerCookie(env, { ...viewer, showsMark: false, label, until });
  expect(await readViewerCookie(env, label, cookie, NOW)).toMatchObject({ viewer: { showsMark: false } });
  const { sessionId, userId } = viewer;
  expect(await findLiveViewer(env, { sessionId, userId }, NOW)).toMatchObject({ showsMark: false });
  await setShowsMark(env.DB, viewer.userId, true);
  expect(await findLiveViewer(env, { sessionId, userId }, NOW)).toMatchObject({ showsMark: true });
  expect(await findLiveViewer(env, { sessionId, userId: "github:2" }, NOW)).toBeNull();
});

test("a cookie of an earlier hub, which said nothing of the mark, stays readable", async () => {
  const { userId, login, sessionId } = viewer;
  const content = [userId, login, sessionId, label, NOW + 5 * MINUTE_MS];
  const cookie = await signValue(env, "viewer-cookie", content);
  expect(await readViewerCookie(env, label, cookie, NOW)).toMatchObject({ viewer, fresh: true });
});
