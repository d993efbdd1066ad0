import { env } from "cloudflare:workers";
import { runInDurableObject } from "cloudflare:test";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { admit, cookiePair, HUB } from "../../test/hub.ts";
import { upsertUser } from "../db/users.ts";
import { UserHub } from "../user-hub/user-hub.ts";
import { ACCESS_COOKIE } from "./access-cookie.ts";
import { LOCAL_USER } from "./local.ts";
import {
  ABSOLUTE_MS,
  ACCESS_MS,
  currentSession,
  endAllSessions,
  endSessions,
  findLiveSession,
  IDLE_MS,
  proveSession,
  SESSION_COOKIE,
  signIn,
  signOut,
} from "./session.ts";

const NOW = Date.now();
const HOUR_MS = 3_600_000;
const SECOND_MS = 1000;
/** For tests that pass months: GitHub is never asked about this one. */
const ALWAYS_ADMITTED = LOCAL_USER.id;

beforeAll(async () => {
  for (const id of ["ann", "bob"]) {
    await upsertUser(env.DB, { id, login: id, name: id.toUpperCase() }, NOW);
    await admit(id, "member", NOW);
  }
  await upsertUser(env.DB, LOCAL_USER, NOW);
});

/** A browser: keeps the cookies it is given, and sends them. */
class Browser {
  readonly cookies = new Map<string, string>();

  take(setCookies: readonly string[]): this {
    for (const setCookie of setCookies) {
      const [name = "", value = ""] = cookiePair(setCookie).split(/=(.*)/s);
      if (setCookie.includes("; Max-Age=0;")) this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return this;
  }

  /** Another browser with the same cookies, as a thief or a tab whose request is on its way would have. */
  copy(): Browser {
    const copy = new Browser();
    for (const [name, value] of this.cookies) copy.cookies.set(name, value);
    return copy;
  }

  request(headers: Record<string, string> = {}): Request {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    return new Request(HUB, { headers: { cookie, ...headers } });
  }

  /** As a page would ask; takes the cookies of the answer. */
  async visit(now: number, proof: "cookie" | "database" = "database") {
    const proven = await proveSession(this.request(), env, proof, now);
    this.take(proven?.cookies ?? []);
    return proven?.session ?? null;
  }
}

async function signedInBrowser(userId = "ann", now = NOW): Promise<Browser> {
  return new Browser().take(await signIn(new Request(HUB), env, userId, now));
}

const secretOf = (browser: Browser) => browser.cookies.get(SESSION_COOKIE) ?? "";

async function auditOf(sessionId: string): Promise<unknown[]> {
  const { results } = await env.DB.prepare("SELECT action, user_id, login FROM audit_log WHERE subject = ?")
    .bind(sessionId)
    .all();
  return results;
}

/** What the person's UserHub says of a sign-in by its cookie alone. */
const listed = (userId: string, sessionId: string) =>
  runInDurableObject(env.USER_HUB.getByName(userId), (hub: UserHub) => hub.list(sessionId));

async function stored(sessionId: string, column: string): Promise<unknown> {
  return env.DB.prepare(`SELECT ${column} FROM sessions WHERE id = ?`).bind(sessionId).first(column);
}

describe("signing in", () => {
  test("gives cookies for this host alone, and not for scripts", async () => {
    const [session = "", access = ""] = await signIn(new Request(HUB), env, "ann", NOW);
    expect(session).toMatch(/^__Host-orchestrator-session=[\w-]{16}\.[\w-]{43};/);
    expect(access).toMatch(/^__Host-orchestrator-access=/);
    const attributes = (cookie: string) => cookie.split("; ").slice(1).toSorted();
    const common = ["HttpOnly", "Path=/", "SameSite=Lax", "Secure"];
    expect(attributes(session)).toEqual([...common, `Max-Age=${ABSOLUTE_MS / 1000}`].toSorted());
    expect(attributes(access)).toEqual([...common, `Max-Age=${ACCESS_MS / 1000}`].toSorted());
  });

  test("says who is signed in", async () => {
    const browser = await signedInBrowser();
    const expected = { userId: "ann", login: "ann", name: "ANN", role: "member" };
    expect(await browser.visit(NOW, "database")).toMatchObject(expected);
    expect(await browser.visit(NOW, "cookie")).toMatchObject(expected);
    expect(await currentSession(browser.request(), env, NOW)).toMatchObject(expected);
  });

  test("a dump of the database signs nobody in", async () => {
    const browser = await signedInBrowser();
    const session = await browser.visit(NOW);
    await browser.visit(NOW + ACCESS_MS);
    const { results } = await env.DB.prepare("SELECT * FROM sessions").all<Record<string, unknown>>();
    for (const row of results) {
      for (const value of Object.values(row)) {
        const thief = new Browser();
        thief.cookies.set(SESSION_COOKIE, `${session?.id}.${String(value)}`);
        expect(await thief.visit(NOW + ACCESS_MS)).toBeNull();
      }
    }
    expect(JSON.stringify(results)).not.toContain(secretOf(browser).split(".")[1]);
  });

  test("notes the browser and where it is", async () => {
    const request = new Request(HUB, {
      headers: { "user-agent": "x".repeat(400), "cf-connecting-ip": "192.0.2.7" },
    });
    const session = await new Browser().take(await signIn(request, env, "ann", NOW)).visit(NOW);
    expect(await stored(session?.id ?? "", "ip")).toBe("192.0.2.7");
    expect(await stored(session?.id ?? "", "user_agent")).toHaveLength(300);
  });

  test("ends the session the browser had, and a planted one gains nothing", async () => {
    const planted = await signedInBrowser("bob");
    const before = await planted.visit(NOW);
    const victim = planted.copy();
    victim.take(await signIn(victim.request(), env, "ann", NOW));
    expect(secretOf(victim)).not.toBe(secretOf(planted));
    expect(await victim.visit(NOW)).toMatchObject({ userId: "ann" });
    expect(await planted.visit(NOW)).toBeNull();
    expect(await listed("bob", before?.id ?? "")).toBe("signed_out");
  });

  test("leaves others' sessions alone", async () => {
    const [one, two] = [await signedInBrowser(), await signedInBrowser()];
    expect(await one.visit(NOW)).not.toBeNull();
    expect(await two.visit(NOW)).not.toBeNull();
  });

  test("sweeps expired sessions", async () => {
    const forgotten = await (await signedInBrowser()).visit(NOW);
    await signedInBrowser(ALWAYS_ADMITTED, NOW + IDLE_MS);
    expect(await stored(forgotten?.id ?? "", "id")).toBeNull();
  });
});

describe("rotation", () => {
  test("comes when the access cookie is no longer fresh, and not before", async () => {
    const browser = await signedInBrowser();
    const first = secretOf(browser);
    await browser.visit(NOW + ACCESS_MS - 1);
    expect(secretOf(browser)).toBe(first);
    const session = await browser.visit(NOW + ACCESS_MS, "cookie");
    expect(secretOf(browser)).not.toBe(first);
    expect(secretOf(browser).split(".")[0]).toBe(session?.id);
    const second = secretOf(browser);
    await browser.visit(NOW + ACCESS_MS + SECOND_MS, "cookie");
    await browser.visit(NOW + ACCESS_MS + SECOND_MS, "database");
    expect(secretOf(browser)).toBe(second);
    expect(await stored(session?.id ?? "", "last_used_at")).toBe(NOW + ACCESS_MS);
  });

  test("never comes with an upgrade, whose answer browsers may not take cookies from", async () => {
    const browser = await signedInBrowser();
    const request = browser.request({ upgrade: "websocket" });
    const proven = await proveSession(request, env, "database", NOW + ACCESS_MS);
    expect(proven).toMatchObject({ session: { userId: "ann" }, cookies: [] });
    expect(await browser.visit(NOW + ACCESS_MS)).not.toBeNull();
  });

  test("another tab on its way with the former secret is let in and gets an access cookie only", async () => {
    const browser = await signedInBrowser();
    const otherTab = browser.copy();
    await browser.visit(NOW + ACCESS_MS);
    const at = NOW + ACCESS_MS + 59 * SECOND_MS;
    const proven = await proveSession(otherTab.request(), env, "database", at);
    expect(proven?.cookies.map((cookie) => cookie.split("=")[0])).toEqual([ACCESS_COOKIE]);
    expect(await browser.visit(at)).not.toBeNull();
  });

  test("of many tabs at once one gets the new secret, and all are let in", async () => {
    const browser = await signedInBrowser();
    const tabs = Array.from({ length: 8 }, () =>
      proveSession(browser.request(), env, "database", NOW + ACCESS_MS),
    );
    const proven = await Promise.all(tabs);
    expect(proven.every((answer) => answer !== null)).toBe(true);
    const rotations = proven.filter((answer) => answer?.cookies.length === 2);
    expect(rotations).toHaveLength(1);
    for (const answer of proven) browser.take(answer?.cookies ?? []);
    expect(await browser.visit(NOW + 2 * ACCESS_MS)).not.toBeNull();
  });

  test("a browser that never got the answer with the new secret is given another", async () => {
    const browser = await signedInBrowser();
    const lost = browser.copy();
    expect(await lost.visit(NOW + ACCESS_MS)).not.toBeNull();
    const before = secretOf(browser);
    expect(await browser.visit(NOW + ACCESS_MS + 60 * SECOND_MS)).not.toBeNull();
    expect(secretOf(browser)).not.toBe(before);
    expect(await browser.visit(NOW + 3 * ACCESS_MS)).not.toBeNull();
  });

  test("a copied cookie that is used later ends the session for both, and is written down", async () => {
    const browser = await signedInBrowser();
    const thief = browser.copy();
    await browser.visit(NOW + ACCESS_MS);
    const session = await browser.visit(NOW + 2 * ACCESS_MS);
    expect(await thief.visit(NOW + 2 * ACCESS_MS)).toBeNull();
    expect(await browser.visit(NOW + 2 * ACCESS_MS)).toBeNull();
    expect(await listed("ann", session?.id ?? "")).toBe("signed_out");
    expect(await auditOf(session?.id ?? "")).toEqual([
      { action: "session_reused", user_id: "ann", login: "ann" },
    ]);
    // Coming again with it writes no second line.
    expect(await thief.visit(NOW + 2 * ACCESS_MS)).toBeNull();
    expect(await auditOf(session?.id ?? "")).toHaveLength(1);
  });

  test("a thief who is faster is found out as soon as the browser comes back", async () => {
    const browser = await signedInBrowser();
    const thief = browser.copy();
    expect(await thief.visit(NOW + ACCESS_MS)).not.toBeNull();
    expect(await thief.visit(NOW + 2 * ACCESS_MS)).not.toBeNull();
    expect(await browser.visit(NOW + 2 * ACCESS_MS)).toBeNull();
    expect(await thief.visit(NOW + 2 * ACCESS_MS)).toBeNull();
  });

  test("a thief who comes with the secret before the last is found out likewise", async () => {
    const browser = await signedInBrowser();
    const thief = browser.copy();
    await browser.visit(NOW + ACCESS_MS);
    // Nobody can tell this from an answer that was lost.
    expect(await thief.visit(NOW + ACCESS_MS + 60 * SECOND_MS)).not.toBeNull();
    expect(await browser.visit(NOW + 2 * ACCESS_MS)).toBeNull();
    expect(await thief.visit(NOW + 2 * ACCESS_MS)).toBeNull();
  });

  test("a secret is worth nothing any more once its successor was seen, but for tabs on their way", async () => {
    const browser = await signedInBrowser();
    const thief = browser.copy();
    await browser.visit(NOW + ACCESS_MS);
    expect(await browser.visit(NOW + ACCESS_MS + 30 * SECOND_MS)).not.toBeNull();
    expect(await thief.copy().visit(NOW + ACCESS_MS + 59 * SECOND_MS)).not.toBeNull();
    expect(await browser.visit(NOW + ACCESS_MS + 60 * SECOND_MS)).not.toBeNull();
    expect(await thief.visit(NOW + ACCESS_MS + 61 * SECOND_MS)).toBeNull();
    expect(await browser.visit(NOW + ACCESS_MS + 61 * SECOND_MS)).toBeNull();
  });

  test("a secret presented with an upgrade or beside a fresh access cookie is judged alike", async () => {
    for (const headers of [{ upgrade: "websocket" }, {}]) {
      const browser = await signedInBrowser();
      const forged = browser.copy();
      forged.cookies.set(SESSION_COOKIE, `${secretOf(browser).split(".")[0]}.${"A".repeat(43)}`);
      expect(await proveSession(forged.request(headers), env, "database", NOW)).toBeNull();
      expect(await browser.visit(NOW)).toBeNull();
    }
  });
});

describe("the end of a session", () => {
  test("comes when it is not used, and at its absolute end even when it is", async () => {
    const idle = await signedInBrowser(ALWAYS_ADMITTED);
    expect(await idle.copy().visit(NOW + IDLE_MS)).toBeNull();
    expect(await idle.visit(NOW + IDLE_MS - 1)).not.toBeNull();
    const used = await signedInBrowser(ALWAYS_ADMITTED);
    let at = NOW;
    while (at + IDLE_MS / 2 < NOW + ABSOLUTE_MS) {
      at += IDLE_MS / 2;
      expect(await used.visit(at)).not.toBeNull();
    }
    expect(await used.visit(NOW + ABSOLUTE_MS)).toBeNull();
  });

  test("comes to the local person where nobody signs in by a link any more", async () => {
    const request = (await signedInBrowser(LOCAL_USER.id)).request();
    expect(await currentSession(request, env, NOW)).toMatchObject({ role: "admin" });
    for (const opened of [{ LOCAL_SIGN_IN: "" }, { HUB_ORIGIN: "https://hub.example.com" }])
      expect(await currentSession(request, { ...env, ...opened }, NOW)).toBeNull();
  });

  test("a session used at an instance only does not run idle", async () => {
    const browser = await signedInBrowser(ALWAYS_ADMITTED);
    const { id: sessionId, userId } = (await browser.visit(NOW)) ?? { id: "", userId: "" };
    const half = NOW + IDLE_MS / 2;
    expect(await findLiveSession(env, { sessionId, userId }, half)).toMatchObject({ userId });
    expect(await findLiveSession(env, { sessionId, userId }, NOW + IDLE_MS)).not.toBeNull();
    expect(await findLiveSession(env, { sessionId, userId: "bob" }, half)).toBeNull();
    expect(await findLiveSession(env, { sessionId, userId }, NOW + 2 * IDLE_MS)).toBeNull();
  });

  test("its use is written at most once in five minutes", async () => {
    const { id: sessionId, userId } = (await (await signedInBrowser()).visit(NOW)) ?? { id: "", userId: "" };
    await findLiveSession(env, { sessionId, userId }, NOW + ACCESS_MS - 1);
    expect(await stored(sessionId, "last_used_at")).toBe(NOW);
    await findLiveSession(env, { sessionId, userId }, NOW + ACCESS_MS);
    expect(await stored(sessionId, "last_used_at")).toBe(NOW + ACCESS_MS);
  });

  test("a stolen cookie is worth nothing after sign-out, the access cookie at the person's UserHub neither", async () => {
    const browser = await signedInBrowser();
    const thief = browser.copy();
    const session = await browser.visit(NOW);
    if (session === null) throw new Error("not signed in");
    browser.take(await signOut(env, session));
    expect(browser.cookies.size).toBe(0);
    expect(await thief.visit(NOW, "database")).toBeNull();
    expect(await listed("ann", session.id)).toBe("signed_out");
  });

  test("is told once more where the person's UserHub was away for a moment", async () => {
    const session = await (await signedInBrowser()).visit(NOW);
    const id = session?.id ?? "";
    const told = vi.spyOn(UserHub.prototype, "sessionsEnded").mockRejectedValueOnce(new Error("reset"));
    expect(await endSessions(env, "ann", [id])).toEqual([id]);
    told.mockRestore();
    expect(await listed("ann", id)).toBe("signed_out");
  });

  test("one or all of a person's own can be ended, and nobody else's", async () => {
    const [one, two, other] = [
      await signedInBrowser(),
      await signedInBrowser(),
      await signedInBrowser("bob"),
    ];
    const ids = await Promise.all(
      [one, two, other].map(async (browser) => (await browser.visit(NOW))?.id ?? ""),
    );
    expect(await endSessions(env, "ann", [ids[0] ?? "", ids[2] ?? "", "unknown"])).toEqual([ids[0]]);
    expect(await one.visit(NOW)).toBeNull();
    expect(await two.visit(NOW)).not.toBeNull();
    expect(await endAllSessions(env, "ann")).toContain(ids[1]);
    expect(await two.visit(NOW)).toBeNull();
    expect(await listed("ann", ids[1] ?? "")).toBe("signed_out");
    expect(await other.visit(NOW)).not.toBeNull();
  });
});

describe("what is no cookie of ours", () => {
  test.each([
    "",
    ".",
    "x",
    `${"a".repeat(16)}.`,
    `.${"a".repeat(43)}`,
    `${"a".repeat(16)}.${"a".repeat(43)}`,
  ])("%j signs nobody in", async (value) => {
    const browser = new Browser();
    browser.cookies.set(SESSION_COOKIE, value);
    browser.cookies.set(ACCESS_COOKIE, value);
    expect(await browser.visit(NOW, "cookie")).toBeNull();
  });

  test("an access cookie is believed no longer than GitHub's answer about the person counts", async () => {
    const aboutToBeAsked = NOW - HOUR_MS + 60 * SECOND_MS;
    await admit("ann", "member", aboutToBeAsked);
    const browser = await signedInBrowser();
    expect(await browser.visit(NOW + 59 * SECOND_MS, "cookie")).toMatchObject({
      until: NOW + 60 * SECOND_MS,
    });
    browser.cookies.delete(SESSION_COOKIE);
    expect(await browser.visit(NOW + 60 * SECOND_MS, "cookie")).toBeNull();
    await admit("ann", "member", NOW);
  });

  test("an access cookie is believed for five minutes, and not from the future", async () => {
    const browser = await signedInBrowser();
    browser.cookies.delete(SESSION_COOKIE);
    expect(await browser.visit(NOW + ACCESS_MS - 1, "cookie")).toMatchObject({ userId: "ann" });
    expect(await browser.visit(NOW + ACCESS_MS, "cookie")).toBeNull();
    expect(await browser.visit(NOW - 61 * SECOND_MS, "cookie")).toBeNull();
    expect(await browser.visit(NOW, "database")).toBeNull();
  });

  test("an access cookie whose content was changed is refused", async () => {
    const browser = await signedInBrowser();
    browser.cookies.delete(SESSION_COOKIE);
    const [payload = "", signature = ""] = (browser.cookies.get(ACCESS_COOKIE) ?? "").split(".");
    const forged = atob(payload).replace("member", "admin");
    browser.cookies.set(ACCESS_COOKIE, `${btoa(forged).replaceAll("=", "")}.${signature}`);
    expect(await browser.visit(NOW, "cookie")).toBeNull();
  });
});
