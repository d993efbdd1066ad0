import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { createSession, deleteSessions } from "../db/sessions.ts";
import { upsertUser } from "../db/users.ts";
import { admit } from "../../test/hub.ts";
import { checkOpenSession, SessionWatch, type OpenSession } from "./open-sessions.ts";
import { LOCAL_USER } from "./local.ts";
import { ABSOLUTE_MS, IDLE_MS } from "./session.ts";

const NOW = Date.UTC(2026, 10, 21);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const userId = "github:1";
const sessionId = "session-1";

describe("asking after one", () => {
  const isAdmitted = vi.fn<() => Promise<boolean>>();

  beforeEach(async () => {
    isAdmitted.mockReset().mockResolvedValue(true);
    await upsertUser(env.DB, { id: userId, login: "ann", name: "Ann" });
    await upsertUser(env.DB, LOCAL_USER);
    await admit(userId, "member", NOW);
    await deleteSessions(env.DB, userId, [sessionId]);
    await deleteSessions(env.DB, LOCAL_USER.id, [sessionId]);
    await startSession(userId);
  });

  async function startSession(owner: string): Promise<void> {
    await createSession(env.DB, {
      id: sessionId,
      secret: "secret",
      userId: owner,
      userAgent: "",
      ip: null,
      place: null,
      now: NOW,
      expiresAt: NOW + ABSOLUTE_MS,
    });
  }

  const check = (now: number, used: { usedAt?: number; owner?: string; settings?: object } = {}) => {
    const { usedAt = 0, owner = userId, settings = {} } = used;
    return checkOpenSession({ ...env, ...settings }, { sessionId, userId: owner, usedAt }, isAdmitted, now);
  };

  test("while GitHub's answer is young nobody is asked, and the next time is when it no longer is", async () => {
    expect(await check(NOW + 10 * MINUTE_MS)).toBe(NOW + HOUR_MS);
    expect(await check(NOW + HOUR_MS - 1)).toBe(NOW + HOUR_MS);
    expect(isAdmitted).not.toHaveBeenCalled();
    const settings = { MEMBERSHIP_MAX_AGE_SECONDS: "7200" };
    expect(await check(NOW + HOUR_MS, { settings })).toBe(NOW + 2 * HOUR_MS);
  });

  test("an answer that is too old is asked for again, and counts from then", async () => {
    isAdmitted.mockImplementation(async () => {
      await admit(userId, "member", NOW + HOUR_MS);
      return true;
    });
    expect(await check(NOW + HOUR_MS)).toBe(NOW + 2 * HOUR_MS);
    expect(isAdmitted).toHaveBeenCalledTimes(1);
  });

  test("while GitHub is away, and its last answer counts, it is asked after every minute", async () => {
    expect(await check(NOW + 2 * HOUR_MS)).toBe(NOW + 2 * HOUR_MS + MINUTE_MS);
    const settings = { MEMBERSHIP_MAX_AGE_SECONDS: "10" };
    expect(await check(NOW + 2 * HOUR_MS, { settings })).toBe(NOW + 2 * HOUR_MS + 10_000);
  });

  test("who is not admitted any more, and what is no more, has ended", async () => {
    isAdmitted.mockResolvedValue(false);
    expect(await check(NOW + HOUR_MS)).toBeNull();
    expect(await check(NOW, { owner: "github:2" })).toBeNull();
    // Ending everything is what the answer comes with.
    isAdmitted.mockImplementation(async () => {
      await deleteSessions(env.DB, userId, [sessionId]);
      return true;
    });
    expect(await check(NOW + HOUR_MS)).toBeNull();
    expect(await check(NOW)).toBeNull();
  });

  test("nobody asks GitHub after the local person, but their sign-in ends like any other", async () => {
    await deleteSessions(env.DB, userId, [sessionId]);
    await startSession(LOCAL_USER.id);
    const owner = LOCAL_USER.id;
    expect(await check(NOW + HOUR_MS, { owner })).toBe(NOW + 2 * HOUR_MS);
    expect(await check(NOW + IDLE_MS - MINUTE_MS, { owner })).toBe(NOW + IDLE_MS);
    expect(await check(NOW + IDLE_MS, { owner })).toBeNull();
    expect(isAdmitted).not.toHaveBeenCalled();
  });

  test("being open is no use; what a page sends is, and counts until the absolute end", async () => {
    const lastUsed = () =>
      env.DB.prepare("SELECT last_used_at FROM sessions WHERE id = ?").bind(sessionId).first("last_used_at");
    await admit(userId, "member", NOW + IDLE_MS);
    expect(await check(NOW + IDLE_MS - 1)).toBe(NOW + IDLE_MS);
    expect(await lastUsed()).toBe(NOW);
    // Less than five minutes later is not worth a write.
    await check(NOW + MINUTE_MS, { usedAt: NOW + MINUTE_MS });
    expect(await lastUsed()).toBe(NOW);
    const usedAt = NOW + IDLE_MS - 1;
    expect(await check(NOW + IDLE_MS, { usedAt })).toBe(NOW + IDLE_MS + HOUR_MS);
    expect(await lastUsed()).toBe(usedAt);
    await env.DB.prepare("UPDATE sessions SET last_used_at = ?")
      .bind(NOW + ABSOLUTE_MS - 1)
      .run();
    await admit(userId, "member", NOW + ABSOLUTE_MS - 1);
    expect(await check(NOW + ABSOLUTE_MS - 1)).toBe(NOW + ABSOLUTE_MS);
    expect(await check(NOW + ABSOLUTE_MS, { usedAt: NOW + ABSOLUTE_MS })).toBeNull();
  });

  test("a sign-in that nobody used for too long is not brought back by a use", async () => {
    await admit(userId, "member", NOW + IDLE_MS);
    expect(await check(NOW + IDLE_MS, { usedAt: NOW + IDLE_MS })).toBeNull();
  });
});

describe("watching those that have something open", () => {
  const open = (id: string, checkAt: number, usedAt = 0): OpenSession => ({ sessionId: id, checkAt, usedAt });

  test("nothing open, nothing due; else what is due first", () => {
    const watch = new SessionWatch(() => Promise.resolve(NOW));
    expect(watch.dueAt([])).toBeNull();
    expect(watch.dueAt([open("a", NOW + 2), open("b", NOW + 1), open("a", NOW + 3)])).toBe(NOW + 1);
  });

  test("only those that are due are asked after, each once, whatever they have open", async () => {
    const asked: OpenSession[] = [];
    const watch = new SessionWatch((one) => {
      asked.push(one);
      return Promise.resolve(one.sessionId === "gone" ? null : NOW + HOUR_MS);
    });
    const result = await watch.recheck(
      [open("a", NOW, 5), open("a", NOW + 9, 7), open("later", NOW + 1), open("gone", NOW - 1)],
      NOW,
    );
    expect(asked).toEqual([open("a", NOW, 7), open("gone", NOW - 1)]);
    expect(result).toEqual({ ended: ["gone"], unchecked: [], checkAt: new Map([["a", NOW + HOUR_MS]]) });
  });

  test("one that cannot be asked after stays open, is asked after in a minute, and is closed after a quarter of an hour", async () => {
    const error = vi.spyOn(console, "error").mockReturnValue();
    const watch = new SessionWatch((one) =>
      one.sessionId === "a" ? Promise.reject(new Error("D1 is away")) : Promise.resolve(NOW + HOUR_MS),
    );
    const sessions = [open("a", NOW), open("b", NOW)];
    const result = await watch.recheck(sessions, NOW + 1);
    expect(result).toMatchObject({ ended: [], unchecked: [] });
    expect(result.checkAt.get("b")).toBe(NOW + HOUR_MS);
    expect(watch.dueAt([open("a", result.checkAt.get("a") ?? 0)])).toBe(NOW + 1 + MINUTE_MS);
    expect((await watch.recheck(sessions, NOW + 15 * MINUTE_MS - 1)).unchecked).toEqual([]);
    expect(await watch.recheck(sessions, NOW + 15 * MINUTE_MS)).toMatchObject({
      ended: [],
      unchecked: ["a"],
    });
    expect(error).toHaveBeenCalledWith('{"event":"session_unchecked","level":"error","error":"Error"}');
    error.mockRestore();
  });

  test("whatever is due, nobody is woken twice in a second", async () => {
    const watch = new SessionWatch(() => Promise.resolve(NOW - HOUR_MS));
    await watch.recheck([open("a", NOW)], NOW);
    expect(watch.dueAt([open("a", NOW - HOUR_MS)])).toBe(NOW + 1000);
  });
});
