/** Admission against a strict fake GitHub and a clock that the test turns. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeGitHub } from "../../test/fake-github.ts";
import { connected, cookiePair, HUB } from "../../test/hub.ts";
import { forAdmitted, recheckEveryone } from "../auth/recheck.ts";
import type { Membership, MembershipState } from "../auth/policy.ts";
import { currentSession, signIn } from "../auth/session.ts";
import { noticeSettings } from "../auth/settings-change.ts";
import type { Admission, TunnelRpc } from "../contracts.ts";
import { deleteAllowedEntity, saveAllowedEntity } from "../db/allowed-entities.ts";
import { notePolicySettings } from "../db/policy-settings.ts";
import { upsertUser } from "../db/users.ts";
import { pageOpenerHeaders } from "../page-socket.ts";
import { routes } from "../routes.ts";
import type { UserHub } from "./user-hub.ts";

type Hub = DurableObjectStub<UserHub>;

const START = Date.UTC(2026, 10, 20);
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
/** Defaults of the settings. */
const MAX_AGE_MS = HOUR_MS;
const GRACE_MS = 4 * HOUR_MS;
/** GitHub's access tokens live for eight hours. */
const ACCESS_MS = 8 * HOUR_MS;

const IN: Admission = { admitted: true, role: "member" };
const out = (reason: string): unknown => ({ admitted: false, reason });

const github = new FakeGitHub({ origin: "http://github.localhost", now: () => Date.now() });
const acme = github.addOrganization("acme");
const core = github.addTeam("acme", "core");
github.install("acme");
Object.assign(env, github.settings);

/** What GitHub says, in place of the fake where a test needs it otherwise; `undefined` leaves it to the fake. */
let instead: (request: Request) => Promise<Response> | undefined;

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
  github.outage = "none";
  github.requests.length = 0;
  instead = () => undefined;
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => {
    const request = new Request(input, init);
    return instead(request) ?? github.fetch(request);
  });
  const tables = ["users", "admissions", "allowed_entities", "audit_log", "sessions"];
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
  await allow("organization", acme.id, "acme");
});

afterEach(() => {
  set({ DB: database, MEMBERSHIP_MAX_AGE_SECONDS: "3600", MEMBERSHIP_GRACE_SECONDS: "14400" });
  expect(github.unknown).toEqual([]);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

const pass = (milliseconds: number): unknown => vi.setSystemTime(Date.now() + milliseconds);

function allow(
  kind: "organization" | "team" | "user",
  id: number,
  name: string,
  role: "member" | "admin" = "member",
): Promise<void> {
  return saveAllowedEntity(env.DB, { kind, id, name, role }, null);
}

interface Person {
  login: string;
  id: number;
  userId: string;
  hub: Hub;
  /** What their Tunnels were told, in order. */
  told: string[];
}

let people = 0;

/** What the objects take for their settings: a copy of what the tests have. */
let objectsEnv = env;
const database = env.DB;

function set(settings: Partial<typeof env>): void {
  Object.assign(objectsEnv, settings);
}

/** Somebody whose Tunnels only listen. */
async function stranger(): Promise<Person> {
  const login = `person-${++people}`;
  const { id } = github.addUser(login);
  const userId = `github:${id}`;
  const hub = env.USER_HUB.getByName(userId);
  const told: string[] = [];
  await meetTunnels(hub, told);
  await upsertUser(env.DB, { id: userId, login, name: login });
  return { login, id, userId, hub, told };
}

async function meetTunnels(hub: Hub, told: string[]): Promise<void> {
  const tunnel = (label: string): Partial<TunnelRpc> => ({
    disconnect: (_owner, reason, message) =>
      Promise.resolve(void told.push(`${reason} ${label}: ${message}`)),
    endSessions: (_owner, ids) => Promise.resolve(void told.push(`ended ${ids.length} at ${label}`)),
  });
  await runInDurableObject(hub, (object) => {
    objectsEnv = Reflect.get(object, "env") as typeof env;
    Object.defineProperty(object, "env", { value: { ...env, TUNNEL: { getByName: tunnel } } });
  });
}

/** Comes back from GitHub with what it says at this moment. */
async function signInAtGitHub(
  { login, id, hub }: Person,
  of: Membership[] = [inAcme("active")],
): Promise<Admission> {
  return hub.signedIn(github.grantFor(login), { userId: id, login, of, checkedAt: Date.now() });
}

/** A member of acme who has just signed in at GitHub. */
async function member(): Promise<Person> {
  const person = await stranger();
  github.join("acme", person.login);
  expect(await signInAtGitHub(person)).toEqual(IN);
  return person;
}

function inAcme(state: MembershipState): Membership {
  return { kind: "organization", id: acme.id, name: "acme", state };
}

/** A browser of this person that is signed in at the hub. */
async function browserOf({ userId }: Person): Promise<Request> {
  const cookies = await signIn(new Request(HUB), env, userId);
  return new Request(HUB, { headers: { cookie: cookies.map(cookiePair).join("; ") } });
}

/** What GitHub was asked, without its answers. */
const asked = (): string[] => github.requests.map(({ method, path }) => `${method} ${path}`);

const REFRESH = "POST /login/oauth/access_token";
const ROUND = ["GET /api/v3/user", "GET /api/v3/user/memberships/orgs/acme"];

async function auditLog(userId: string): Promise<unknown[]> {
  const { results } = await env.DB.prepare(
    "SELECT action, login, subject, reason FROM audit_log WHERE user_id = ?",
  )
    .bind(userId)
    .all();
  return results;
}

async function row({ userId }: Person): Promise<unknown> {
  return env.DB.prepare(
    "SELECT allowed, role, reason, checked_at, tried_at FROM admissions WHERE user_id = ?",
  )
    .bind(userId)
    .first();
}

/** A database whose answers about admissions arrive in another order than they were given. */
function withSlowReads(db: D1Database): D1Database {
  const slow = async <T>(answer: Promise<T>): Promise<T> => {
    const value = await answer;
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 60));
    return value;
  };
  return new Proxy(db, {
    get: (target, name) => {
      if (name !== "prepare") return (Reflect.get(target, name) as () => unknown).bind(target);
      return (query: string) => {
        const statement = target.prepare(query);
        if (!query.startsWith("SELECT * FROM admissions")) return statement;
        const slowly = (id: string) => statement.bind(id);
        return {
          bind: (id: string) => ({
            first: () => slow(slowly(id).first()),
            all: () => slow(slowly(id).all()),
          }),
        };
      };
    },
  });
}

/** Time for whatever was begun to get to where it waits. */
function moment(): Promise<unknown> {
  return new Promise((resolve) => setTimeout(resolve, 100));
}

/** GitHub does not answer such requests before the gate is open. */
function hold(isHeld: (request: Request) => boolean): { reached: () => Promise<unknown>; open: () => void } {
  const state = { isReached: false, isOpen: false };
  instead = (request) => (isHeld(request) ? answerLater(request) : undefined);
  // Promises of the test would take the object's work to the test's context.
  const answerLater = async (request: Request): Promise<Response> => {
    state.isReached = true;
    while (!state.isOpen) await new Promise((resolve) => setTimeout(resolve, 5));
    return github.fetch(request);
  };
  return {
    reached: () => vi.waitFor(() => expect(state.isReached).toBe(true)),
    open: () => {
      state.isOpen = true;
    },
  };
}

function hasGrant(hub: Hub): Promise<boolean> {
  return runInDurableObject(hub, (_object, state) => {
    return state.storage.sql.exec("SELECT 1 FROM github_grant").toArray().length > 0;
  });
}

describe("the age of GitHub's answer", () => {
  it("counts without asking while it is young, and is written once", async () => {
    const ann = await member();
    pass(MAX_AGE_MS - 1);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(asked()).toEqual([]);
    expect(await row(ann)).toEqual({
      allowed: 1,
      role: "member",
      reason: `organization:${acme.id}`,
      checked_at: START,
      tried_at: START,
    });
  });

  it("is renewed by asking once when it has its age", async () => {
    const ann = await member();
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(asked()).toEqual(ROUND);
    expect(await row(ann)).toMatchObject({ checked_at: START + MAX_AGE_MS, tried_at: START + MAX_AGE_MS });
  });

  it("may be as short as a setting says, and without grace", async () => {
    const ann = await member();
    set({ MEMBERSHIP_MAX_AGE_SECONDS: "2", MEMBERSHIP_GRACE_SECONDS: "0" });
    pass(2000);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(asked()).toEqual(ROUND);
    github.outage = "down";
    pass(1999);
    expect(await ann.hub.admission()).toEqual(IN);
    pass(1);
    expect(await ann.hub.admission()).toEqual(out("unverified"));
  });

  it("is asked for again where a clock that was ahead has been set back, and refusals and pauses are, too", async () => {
    const [ann, ben, cleo] = [await member(), await stranger(), await member()];
    expect(await signInAtGitHub(ben, [inAcme("none")])).toEqual(out("not_a_member"));
    github.leave("acme", ann.login);
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
    github.outage = "rate_limited";
    expect(await cleo.hub.admission()).toEqual(IN);
    github.outage = "none";
    pass(-10 * HOUR_MS);
    for (const { login } of [ann, ben]) github.join("acme", login);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(await signInAtGitHub(ben)).toEqual(IN);
    github.requests.length = 0;
    expect(await cleo.hub.admission()).toEqual(IN);
    expect(asked()).toEqual(ROUND);
    expect(await cleo.hub.admission()).toEqual(IN);
    expect(asked()).toEqual(ROUND);
  });

  it("the local user is an administrator and nobody is asked", async () => {
    await upsertUser(env.DB, { id: "local", login: "local", name: "Local" });
    expect(await env.USER_HUB.getByName("local").admission()).toEqual({ admitted: true, role: "admin" });
    expect(asked()).toEqual([]);
  });

  it("the local user is nobody on a hub where nobody signs in by a link", async () => {
    await upsertUser(env.DB, { id: "local", login: "local", name: "Local" });
    const hub = env.USER_HUB.getByName("local");
    const told: string[] = [];
    await meetTunnels(hub, told);
    set({ LOCAL_SIGN_IN: "" });
    expect(await hub.admission()).toEqual(out("never_signed_in"));
    set({ LOCAL_SIGN_IN: "enabled" });
    expect(await hub.admission()).toEqual({ admitted: true, role: "admin" });
    // Nor are instances sent away that come back then.
    await hub.instanceConnected(connected("again"));
    expect(told).toEqual([]);
  });

  it("nobody gets in whom GitHub was never asked about", async () => {
    const eve = await stranger();
    expect(await eve.hub.admission()).toEqual(out("never_signed_in"));
    expect(asked()).toEqual([]);
  });
});

describe("who does not belong any more", () => {
  it("loses everything that is open, and the log says it once", async () => {
    const ann = await member();
    const browser = await browserOf(ann);
    expect(await currentSession(browser, env)).not.toBeNull();
    await ann.hub.instanceConnected(connected("laptop"));
    await ann.hub.opened((await currentSession(browser, env))?.id ?? "", "laptop-abcdefghij", "ann");
    github.leave("acme", ann.login);
    pass(MAX_AGE_MS);
    for (let call = 0; call < 3; call++) expect(await ann.hub.admission()).toEqual(out("not_a_member"));
    expect(await currentSession(browser, env)).toBeNull();
    const { results } = await env.DB.prepare("SELECT id FROM sessions").all();
    expect(results).toEqual([]);
    expect(ann.told.toSorted()[0]).toBe("ended 1 at laptop-abcdefghij");
    expect(ann.told.toSorted()[1]).toBe(
      "going_away laptop-abcdefghij: The owner of this instance may not use this hub now.",
    );
    expect(await auditLog(ann.userId)).toEqual([
      { action: "access_lost", login: ann.login, subject: `organization:${acme.id}`, reason: "not_a_member" },
    ]);
  });

  it("is asked after once a minute, and gets in again after joining again", async () => {
    const ann = await member();
    github.leave("acme", ann.login);
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
    github.join("acme", ann.login);
    pass(MINUTE_MS - 1);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
    expect(asked()).toHaveLength(3);
    pass(1);
    expect(await ann.hub.admission()).toEqual(IN);
    await ann.hub.instanceConnected(connected("laptop"));
    expect(ann.told).toEqual([]);
    expect(await currentSession(await browserOf(ann), env)).not.toBeNull();
  });

  it("gets in again at once by signing in again", async () => {
    const ann = await member();
    github.leave("acme", ann.login);
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
    github.join("acme", ann.login);
    pass(1);
    expect(await signInAtGitHub(ann)).toEqual(IN);
    expect(await ann.hub.admission()).toEqual(IN);
  });

  it("loses a dashboard whose sign-in is gone from the database already", async () => {
    const ann = await member();
    const browser = await browserOf(ann);
    const session = await currentSession(browser, env);
    const headers = {
      upgrade: "websocket",
      ...pageOpenerHeaders({ id: session?.id ?? "", until: Date.now() + 300_000 }),
    };
    const { webSocket: page } = await ann.hub.fetch("https://hub/", { headers });
    let closedWith: number | undefined;
    page?.addEventListener("close", ({ code }) => {
      closedWith = code;
    });
    page?.accept();
    await env.DB.prepare("DELETE FROM sessions").run();
    github.leave("acme", ann.login);
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
    await vi.waitFor(() => expect(closedWith).toBe(4401));
  });

  it("is told why at the page to sign in, in the browser that was in until now", async () => {
    const ann = await member();
    const browser = await browserOf(ann);
    const eve = await member();
    github.leave("acme", ann.login);
    const seen = async (request: Request) => {
      const headers = {
        cookie: request.headers.get("cookie") ?? "",
        accept: "text/html",
        host: new URL(HUB).host,
      };
      return (await exports.default.fetch(HUB + routes.signIn, { headers, redirect: "manual" })).text();
    };
    expect(await seen(await browserOf(eve))).not.toContain("Your access has ended");
    await ann.hub.membershipLost({ lost: "organization", ...acme });
    expect(await seen(browser)).toContain(`${ann.login} belongs to nothing that this hub lets in any more`);
    expect(await seen(new Request(HUB))).not.toContain("Your access has ended");
    pass(10 * MINUTE_MS);
    expect(await seen(browser)).not.toContain("Your access has ended");
  });

  it("does not keep an instance that was just connecting, or is heard of again", async () => {
    const ann = await member();
    await ann.hub.instanceConnected(connected("lost"));
    await ann.hub.instanceGone("lost", Date.now(), "connection_lost", Date.now());
    github.leave("acme", ann.login);
    pass(MAX_AGE_MS);
    await ann.hub.admission();
    await ann.hub.instanceConnected(connected("late"));
    expect(ann.told).toEqual([expect.stringContaining("going_away late-abcdefghij")]);
    await ann.hub.instanceStatus("lost", { status: "busy", sessions: [], at: Date.now() });
    expect(ann.told[1]).toContain("going_away lost-abcdefghij");
  });
});

describe("while GitHub is away", () => {
  it.each(["down", "500"] as const)(
    "(%s) the last answer counts for the grace, and then nobody's",
    async (outage) => {
      const ann = await member();
      const browser = await browserOf(ann);
      github.outage = outage;
      pass(MAX_AGE_MS);
      expect(await ann.hub.admission()).toEqual(IN);
      pass(GRACE_MS - 1);
      expect(await ann.hub.admission()).toEqual(IN);
      expect(await row(ann)).toMatchObject({ allowed: 1, checked_at: START });
      pass(1);
      expect(await ann.hub.admission()).toEqual(out("unverified"));
      expect(await currentSession(browser, env)).toBeNull();
      expect(await auditLog(ann.userId)).toMatchObject([{ action: "access_lost", reason: "unverified" }]);

      github.outage = "none";
      pass(MINUTE_MS);
      expect(await ann.hub.admission()).toEqual(IN);
    },
  );

  it("it is asked at most once a minute", async () => {
    const ann = await member();
    github.outage = "500";
    pass(MAX_AGE_MS);
    for (let call = 0; call < 12; call++) {
      expect(await ann.hub.admission()).toEqual(IN);
      pass(10_000);
    }
    expect(asked()).toHaveLength(2);
  });

  it("nobody is waited for, even where it accepts and says nothing", async () => {
    const ann = await member();
    instead = (request) =>
      new Promise((_resolve, reject) => {
        setTimeout(() => reject(new DOMException("timed out", "TimeoutError")), 50);
        expect(request.signal.aborted).toBe(false);
      });
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(IN);
  });

  it("a rate limit is respected for as long as GitHub says", async () => {
    const ann = await member();
    github.outage = "rate_limited";
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(IN);
    const before = asked().length;
    github.outage = "none";
    pass(29 * MINUTE_MS);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(asked()).toHaveLength(before);
    pass(MINUTE_MS);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(asked()).toHaveLength(before + 2);
    expect(await row(ann)).toMatchObject({ checked_at: Date.now() });
  });

  it("a secondary rate limit counts as being away", async () => {
    const ann = await member();
    github.outage = "secondary_rate_limited";
    pass(MAX_AGE_MS + GRACE_MS);
    expect(await ann.hub.admission()).toEqual(out("unverified"));
  });

  it("in part: what it does tell counts, and what it does not tell keeps its age", async () => {
    const other = github.addOrganization(`other-${people}`);
    github.install(other.login);
    await allow("organization", other.id, other.login);
    const ann = await stranger();
    github.join("acme", ann.login);
    const inOther: Membership = { kind: "organization", id: other.id, name: other.login, state: "none" };
    expect(await signInAtGitHub(ann, [inAcme("active"), inOther])).toEqual(IN);
    const broken = (part: string) => (request: Request) =>
      request.url.endsWith(part) ? Promise.resolve(new Response(null, { status: 502 })) : undefined;

    pass(MAX_AGE_MS);
    instead = broken("/acme");
    expect(await ann.hub.admission()).toEqual(IN);
    expect(await row(ann)).toMatchObject({ checked_at: START, tried_at: START + MAX_AGE_MS });

    // Of the one that counted it says no, of the other nothing: there she was not in before.
    github.leave("acme", ann.login);
    pass(MINUTE_MS);
    instead = broken(`/${other.login}`);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
  });
});

describe("tokens at GitHub", () => {
  it("are renewed once where many ask at once, and GitHub is asked one round", async () => {
    const ann = await member();
    pass(ACCESS_MS);
    const answers = await Promise.all(Array.from({ length: 20 }, () => ann.hub.admission()));
    expect(answers).toEqual(Array.from({ length: 20 }, () => IN));
    expect(asked()).toEqual([REFRESH, ...ROUND]);
  });

  it("are asked with once, too, where others have read what was known before GitHub answered", async () => {
    const ann = await member();
    pass(MAX_AGE_MS);
    set({ DB: withSlowReads(database) });
    const answers = Array.from({ length: 40 }, () => ann.hub.admission());
    expect(new Set((await Promise.all(answers)).map(({ admitted }) => admitted))).toEqual(new Set([true]));
    expect(asked()).toEqual(ROUND);
  });

  it("are renewed again and again, across evictions, each refresh token once", async () => {
    const ann = await member();
    for (let day = 0; day < 2; day++) {
      pass(24 * HOUR_MS);
      await evictDurableObject(ann.hub);
      await meetTunnels(ann.hub, ann.told);
      expect(await ann.hub.admission()).toEqual(IN);
    }
    expect(asked().filter((path) => path === REFRESH)).toHaveLength(2);
  });

  it("are kept before they are used: a crash in between loses none", async () => {
    const ann = await member();
    pass(ACCESS_MS);
    instead = (request) => {
      if (!request.url.endsWith("/user")) return undefined;
      throw new TypeError("Network connection lost.");
    };
    expect(await ann.hub.admission()).toEqual(out("unverified"));
    await evictDurableObject(ann.hub);
    await meetTunnels(ann.hub, ann.told);
    instead = () => undefined;
    pass(MINUTE_MS);
    expect(await ann.hub.admission()).toEqual(IN);
    expect(asked().filter((path) => path === REFRESH)).toHaveLength(1);
  });

  it("stand nowhere in clear", async () => {
    const ann = await stranger();
    github.join("acme", ann.login);
    const first = github.grantFor(ann.login);
    const memberships = { userId: ann.id, login: ann.login, of: [inAcme("active")], checkedAt: START };
    expect(await ann.hub.signedIn(first, memberships)).toEqual(IN);
    pass(ACCESS_MS);
    const seen: string[] = [];
    instead = (request) => {
      seen.push(request.headers.get("authorization") ?? "");
      return undefined;
    };
    expect(await ann.hub.admission()).toEqual(IN);
    const secrets = [
      first.accessToken,
      first.refreshToken,
      ...seen.map((header) => header.replace("Bearer ", "")),
    ];
    expect(new Set(secrets).size).toBeGreaterThan(3);
    const dump = (await dumpObject(ann.hub)) + (await dumpDatabase());
    expect(dump).toContain(ann.login);
    for (const secret of secrets.filter((text) => text !== "")) {
      expect(dump).not.toContain(secret);
      expect(dump).not.toContain(secret.slice(8, 32));
      expect(dump).not.toContain(btoa(secret).slice(4, 32));
    }
    expect(await hasGrant(ann.hub)).toBe(true);
  });

  it("that were sealed for another person or with another secret are worth nothing", async () => {
    const [ann, eve] = [await member(), await member()];
    const stolen = await runInDurableObject(ann.hub, (_object, { storage }) =>
      storage.sql.exec("SELECT * FROM github_grant").toArray(),
    );
    await runInDurableObject(eve.hub, (_object, { storage }) => {
      const [grant] = stolen;
      storage.sql.exec(
        "UPDATE github_grant SET refresh_token = ?, access_token = ?",
        grant?.["refresh_token"],
        grant?.["access_token"],
      );
    });
    pass(MAX_AGE_MS);
    expect(await eve.hub.admission()).toEqual(out("unverified"));
    expect(asked()).toEqual([]);
    expect(await hasGrant(eve.hub)).toBe(false);
  });

  it("of somebody else admit nobody", async () => {
    const [ann, eve] = [await member(), await stranger()];
    const memberships = { userId: eve.id, login: eve.login, of: [inAcme("active")], checkedAt: START };
    await eve.hub.signedIn(github.grantFor(ann.login), memberships);
    pass(MAX_AGE_MS);
    expect(await eve.hub.admission()).toEqual(out("unverified"));
    expect(await hasGrant(eve.hub)).toBe(false);
  });

  it("that GitHub takes back: the answer counts no longer than its age, and signing in again helps", async () => {
    const ann = await member();
    github.revokeAuthorization(ann.login);
    pass(MAX_AGE_MS - 1);
    expect(await ann.hub.admission()).toEqual(IN);
    pass(1);
    expect(await ann.hub.admission()).toEqual(out("unverified"));
    expect(await hasGrant(ann.hub)).toBe(false);
    const before = asked().length;
    pass(10 * MINUTE_MS);
    expect(await ann.hub.admission()).toEqual(out("unverified"));
    expect(asked()).toHaveLength(before);
    expect(await signInAtGitHub(ann)).toEqual(IN);
  });

  it("that have expired for good are not tried", async () => {
    const ann = await member();
    pass(200 * 24 * HOUR_MS);
    expect(await ann.hub.admission()).toEqual(out("unverified"));
    expect(asked()).toEqual([]);
    expect(await hasGrant(ann.hub)).toBe(false);
  });

  it("of a newer sign-in outlive the end of older ones", async () => {
    const ann = await member();
    github.revokeAuthorization(ann.login);
    pass(ACCESS_MS);
    const gate = hold(({ url }) => url.endsWith("/access_token"));
    const admission = ann.hub.admission();
    await gate.reached();
    expect(await signInAtGitHub(ann)).toEqual(IN);
    gate.open();
    expect(await admission).toEqual(IN);
    expect(await hasGrant(ann.hub)).toBe(true);
  });

  it("of a newer sign-in are not replaced by what older ones give", async () => {
    const ann = await member();
    pass(ACCESS_MS);
    const gate = hold(({ url }) => url.endsWith("/access_token"));
    const admission = ann.hub.admission();
    await gate.reached();
    const newer = github.grantFor(ann.login);
    const memberships = { userId: ann.id, login: ann.login, of: [inAcme("active")], checkedAt: Date.now() };
    await ann.hub.signedIn(newer, memberships);
    gate.open();
    expect(await admission).toEqual(IN);
    let used = "";
    instead = (request) => {
      used = request.headers.get("authorization") ?? "";
      return undefined;
    };
    await ann.hub.lookUp("organization", "acme");
    expect(used).toBe(`Bearer ${newer.accessToken}`);
  });

  it("of who is not let in are not kept", async () => {
    const eve = await stranger();
    expect(await signInAtGitHub(eve, [inAcme("none")])).toEqual(out("not_a_member"));
    expect(await hasGrant(eve.hub)).toBe(false);
    github.join("acme", eve.login);
    pass(MINUTE_MS);
    expect(await eve.hub.admission()).toEqual(out("not_a_member"));
    expect(asked()).toEqual([]);
    expect(await signInAtGitHub(eve)).toEqual(IN);
    expect(await hasGrant(eve.hub)).toBe(true);
  });

  it("find ids of names, renewed by the same hands as all others", async () => {
    const ann = await member();
    pass(ACCESS_MS);
    const gate = hold(({ url }) => url.endsWith("/access_token"));
    const both = Promise.all([ann.hub.lookUp("organization", "ACME"), ann.hub.admission()]);
    await gate.reached();
    await moment();
    gate.open();
    const [found, admission] = await both;
    expect(found).toEqual({ found: true, id: acme.id, name: "acme" });
    expect(admission).toEqual(IN);
    expect(asked().filter((path) => path === REFRESH)).toHaveLength(1);
    const eve = await stranger();
    expect(await eve.hub.lookUp("organization", "acme")).toEqual({ found: false, why: "not_asked" });
  });
});

describe("what a webhook says", () => {
  const leaves = (person: Person) => person.hub.membershipLost({ lost: "organization", ...acme });

  it("takes effect at once, and GitHub's API does not undo it within a minute", async () => {
    const ann = await member();
    const browser = await browserOf(ann);
    await ann.hub.instanceConnected(connected("laptop"));
    expect(await leaves(ann)).toEqual(out("not_a_member"));
    expect(await currentSession(browser, env)).toBeNull();
    expect(ann.told).toEqual([expect.stringContaining("going_away laptop")]);
    // GitHub's API still says that she is a member.
    expect(await signInAtGitHub(ann)).toEqual(out("not_a_member"));
    pass(MINUTE_MS - 1);
    expect(await signInAtGitHub(ann)).toEqual(out("not_a_member"));
    pass(1);
    expect(await signInAtGitHub(ann)).toEqual(IN);
    expect(await auditLog(ann.userId)).toHaveLength(1);
  });

  it("takes effect while GitHub is being asked, and beats that answer", async () => {
    const ann = await member();
    const gate = hold(() => true);
    pass(MAX_AGE_MS);
    const admission = ann.hub.admission();
    await gate.reached();
    expect(await leaves(ann)).toEqual(out("not_a_member"));
    gate.open();
    expect(await admission).toEqual(out("not_a_member"));
    // The answer was taken all the same.
    expect(await row(ann)).toMatchObject({ allowed: 0 });
    expect(await row(ann)).not.toMatchObject({ checked_at: START });
  });

  it("takes effect while GitHub is away, for good until it answers", async () => {
    const ann = await member();
    github.outage = "down";
    expect(await leaves(ann)).toEqual(out("not_a_member"));
    pass(2 * MINUTE_MS);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
    await evictDurableObject(ann.hub);
    await meetTunnels(ann.hub, ann.told);
    pass(MAX_AGE_MS + GRACE_MS);
    expect(await ann.hub.admission()).toEqual(out("unverified"));
  });

  it("is remembered of somebody who is only now signing in", async () => {
    const ann = await stranger();
    github.join("acme", ann.login);
    expect(await leaves(ann)).toEqual(out("never_signed_in"));
    expect(await signInAtGitHub(ann)).toEqual(out("not_a_member"));
  });

  it("leaves those alone whom something else lets in", async () => {
    const ann = await member();
    await allow("user", ann.id, ann.login, "admin");
    expect(await leaves(ann)).toEqual({ admitted: true, role: "admin" });
    expect(ann.told).toEqual([]);
  });

  it("of a team takes that away; of one that is not known it makes the hub ask", async () => {
    await deleteAllowedEntity(env.DB, "organization", acme.id);
    await allow("team", core.id, "acme/core");
    const ann = await stranger();
    github.join("acme", ann.login);
    github.joinTeam("acme", "core", ann.login);
    const inCore: Membership = { kind: "team", id: core.id, name: "acme/core", state: "active" };
    expect(await signInAtGitHub(ann, [inCore])).toEqual(IN);
    pass(MINUTE_MS);
    expect(await ann.hub.membershipLost({ lost: "team", id: 999_999 })).toEqual(IN);
    expect(asked()).toHaveLength(3);
    expect(await ann.hub.membershipLost({ lost: "team", id: core.id })).toEqual(out("not_a_member"));
    expect(asked()).toHaveLength(3);
  });

  it("that the person withdrew the authorization ends everything until they sign in again", async () => {
    const ann = await member();
    await allow("user", ann.id, ann.login);
    const browser = await browserOf(ann);
    expect(await ann.hub.membershipLost({ lost: "authorization" })).toEqual(out("unverified"));
    expect(await currentSession(browser, env)).toBeNull();
    expect(await hasGrant(ann.hub)).toBe(false);
    expect(asked()).toEqual([]);
    pass(1);
    expect(await signInAtGitHub(ann)).toEqual(IN);
  });

  it("of a withdrawn authorization beats an answer that is on its way", async () => {
    const ann = await member();
    const gate = hold(() => true);
    pass(MAX_AGE_MS);
    const admission = ann.hub.admission();
    await gate.reached();
    expect(await ann.hub.membershipLost({ lost: "authorization" })).toEqual(out("unverified"));
    gate.open();
    expect(await admission).toEqual(out("unverified"));
    expect(await ann.hub.admission()).toEqual(out("unverified"));
  });

  it("and is doubted makes the hub ask, once a minute at most", async () => {
    const ann = await member();
    expect(await ann.hub.membershipDoubted()).toEqual(IN);
    expect(asked()).toEqual([]);
    github.leave("acme", ann.login);
    pass(MINUTE_MS);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
  });

  it("and is doubted while GitHub is being asked is not settled by that answer", async () => {
    const ann = await member();
    pass(MAX_AGE_MS);
    const gate = hold(({ url }) => url.endsWith("/acme"));
    const admission = ann.hub.admission();
    await gate.reached();
    const doubted = ann.hub.membershipDoubted();
    await moment();
    gate.open();
    expect([await admission, await doubted]).toEqual([IN, IN]);
    github.leave("acme", ann.login);
    pass(MINUTE_MS);
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
  });

  it("and is doubted while GitHub is away leaves the grace", async () => {
    const ann = await member();
    github.outage = "down";
    pass(MINUTE_MS);
    expect(await ann.hub.membershipDoubted()).toEqual(IN);
    pass(GRACE_MS);
    expect(await ann.hub.admission()).toEqual(out("unverified"));
  });
});

describe("a change of the policy", () => {
  it("takes effect at once for whoever it lets in no longer, and for nobody else", async () => {
    const other = github.addOrganization(`other-${people}`);
    await allow("organization", other.id, other.login);
    const [ann, ben] = [await stranger(), await stranger()];
    const inOther = (state: MembershipState): Membership => {
      return { kind: "organization", id: other.id, name: other.login, state };
    };
    expect(await signInAtGitHub(ann, [inAcme("active"), inOther("none")])).toEqual(IN);
    expect(await signInAtGitHub(ben, [inAcme("none"), inOther("active")])).toEqual(IN);
    const [annsBrowser, bensBrowser] = [await browserOf(ann), await browserOf(ben)];
    await ann.hub.instanceConnected(connected("laptop"));
    await ben.hub.instanceConnected(connected("laptop"));

    await deleteAllowedEntity(env.DB, "organization", acme.id);
    await recheckEveryone(env);
    expect(await currentSession(annsBrowser, env)).toBeNull();
    expect(ann.told).toHaveLength(1);
    expect(await currentSession(bensBrowser, env)).not.toBeNull();
    expect(ben.told).toEqual([]);
    expect(asked()).toEqual([]);
  });

  it("gives and takes the role of an administrator", async () => {
    const ann = await member();
    await allow("user", ann.id, ann.login, "admin");
    await recheckEveryone(env);
    expect(await row(ann)).toMatchObject({ allowed: 1, role: "admin" });
    await deleteAllowedEntity(env.DB, "user", ann.id);
    await recheckEveryone(env);
    expect(await row(ann)).toMatchObject({ allowed: 1, role: "member" });
    expect(await auditLog(ann.userId)).toEqual([]);
  });

  it("to nothing lets nobody in, and GitHub is not asked", async () => {
    const ann = await member();
    await deleteAllowedEntity(env.DB, "organization", acme.id);
    await recheckEveryone(env);
    expect(await row(ann)).toMatchObject({ allowed: 0, reason: "empty_policy" });
    pass(MAX_AGE_MS);
    expect(await ann.hub.admission()).toEqual(out("empty_policy"));
    expect(asked()).toEqual([]);
  });

  it("reaches everybody, in batches", async () => {
    const everybody: Person[] = [];
    for (let count = 0; count < 25; count++) everybody.push(await member());
    await deleteAllowedEntity(env.DB, "organization", acme.id);
    await recheckEveryone(env);
    const { results } = await env.DB.prepare("SELECT user_id FROM admissions WHERE allowed = 1").all();
    expect(results).toEqual([]);
    expect(await auditLog(everybody[24]?.userId ?? "")).toHaveLength(1);
  });

  it("by the settings takes effect with the first request after it", async () => {
    await deleteAllowedEntity(env.DB, "organization", acme.id);
    const [ann, ben] = [await stranger(), await stranger()];
    const use = async (settings: Partial<typeof env>) => {
      Object.assign(env, settings);
      set(settings);
      await Promise.all([noticeSettings(env), noticeSettings(env)]);
    };
    await use({ ADMINS: `ann:${ann.id},ben:${ben.id}`, ALLOWED_USERS: "" });
    for (const one of [ann, ben]) {
      expect(await signInAtGitHub(one, [])).toEqual({ admitted: true, role: "admin" });
    }
    const browser = await browserOf(ann);
    await use({ ADMINS: "", ALLOWED_USERS: `ben:${ben.id}` });
    expect(await currentSession(browser, env)).toBeNull();
    expect(await row(ann)).toMatchObject({ allowed: 0, reason: "not_a_member" });
    expect(await row(ben)).toMatchObject({ allowed: 1, role: "member" });
    expect(await auditLog(ann.userId)).toHaveLength(1);

    // Once is enough, for all isolates.
    await env.DB.prepare("UPDATE admissions SET allowed = 1 WHERE user_id = ?").bind(ann.userId).run();
    await use({ ADMINS: "", ALLOWED_USERS: `ben:${ben.id}` });
    expect(await row(ann)).toMatchObject({ allowed: 1 });
    expect(await notePolicySettings(env.DB, "other")).toBe(true);
    expect(await notePolicySettings(env.DB, "other")).toBe(false);
    await use({ ADMINS: "", ALLOWED_USERS: "" });
  });

  it("reaches those whose UserHub could not be told when they come next", async () => {
    const ann = await member();
    const browser = await browserOf(ann);
    await deleteAllowedEntity(env.DB, "organization", acme.id);
    await allow("user", 5, "somebody-else");
    const failing = forAdmitted(
      env,
      () => true,
      () => Promise.reject(new Error("overloaded")),
    );
    await expect(failing).rejects.toThrow("1 people could not be asked after.");
    expect(await currentSession(browser, env)).toBeNull();
    expect(await auditLog(ann.userId)).toMatchObject([{ action: "access_lost", reason: "not_a_member" }]);
  });

  it("is one that signing in with GitHub is switched off, which lets nobody in", async () => {
    await noticeSettings(env);
    const ann = await member();
    const browser = await browserOf(ann);
    const use = async (GITHUB_SIGN_IN: string) => {
      Object.assign(env, { GITHUB_SIGN_IN });
      set({ GITHUB_SIGN_IN });
      await noticeSettings(env);
    };
    try {
      await use("");
      expect(await currentSession(browser, env)).toBeNull();
      expect(await ann.hub.admission()).toEqual(out("empty_policy"));
      expect(asked()).toEqual([]);
    } finally {
      await use("enabled");
    }
    expect(await ann.hub.admission()).toEqual(IN);
  });

  it("reaches more people than are read at once", async () => {
    const ids = Array.from({ length: 405 }, (_, index) => `github:${500_000 + index}`);
    const memberships = JSON.stringify({ userId: 1, login: "x", of: [], checkedAt: START });
    await env.DB.batch(
      ids.flatMap((id) => [
        env.DB.prepare("INSERT INTO users (id, login, name, created_at) VALUES (?, 'x', 'x', 0)").bind(id),
        env.DB.prepare(
          `INSERT INTO admissions (user_id, memberships, checked_at, tried_at, allowed, role, reason)
           VALUES (?, ?, ?, ?, 1, 'member', 'test')`,
        ).bind(id, memberships, START, START),
      ]),
    );
    const reached: string[] = [];
    const all = forAdmitted(
      env,
      ({ userId }) => !userId.endsWith("7"),
      async (hub) => {
        reached.push(hub.name ?? "");
        if (hub.name === ids[3]) throw new Error("broken");
      },
    );
    await expect(all).rejects.toThrow("1 people could not be asked after.");
    expect(reached).toEqual(ids.filter((id) => !id.endsWith("7")));
  });

  it("asks GitHub at once about what is new", async () => {
    const ann = await member();
    github.joinTeam("acme", "core", ann.login);
    await deleteAllowedEntity(env.DB, "organization", acme.id);
    await allow("team", core.id, "acme/core");
    expect(await ann.hub.admission()).toEqual(IN);
    expect(asked()).toHaveLength(3);
  });
});

describe("whom lists of instances ask for", () => {
  const organization = { kind: "organization", name: "acme" } as const;
  const team = { kind: "team", name: "acme/core" } as const;
  const standing = async ({ hub }: Person, group: typeof organization | typeof team) =>
    (await hub.belonging(group)).standing;

  it("belong to what GitHub said, until that is too old", async () => {
    const ann = await member();
    const before = asked().length;
    expect(await ann.hub.belonging(organization)).toEqual({
      standing: "member",
      login: ann.login,
      until: START + MAX_AGE_MS,
    });
    expect(await standing(ann, team)).toBe("not_known");
    expect(asked()).toHaveLength(before);
    pass(MAX_AGE_MS - MINUTE_MS);
    github.leave("acme", ann.login);
    expect(await standing(ann, organization)).toBe("member");
    pass(MINUTE_MS);
    expect(await standing(ann, organization)).toBe("untold");
    expect(await ann.hub.admission()).toEqual(out("not_a_member"));
  });

  it("belong to a team that the hub lets in since, as GitHub is asked at once, once a minute at most", async () => {
    const ann = await member();
    github.joinTeam("acme", "core", ann.login);
    await allow("team", core.id, "acme/core");
    pass(MINUTE_MS);
    expect(await standing(ann, team)).toBe("member");
    const { length } = asked();
    expect(await standing(ann, team)).toBe("member");
    expect(asked()).toHaveLength(length);
  });

  it("belong to nothing once GitHub has been away for too long", async () => {
    const ann = await member();
    github.outage = "500";
    pass(MAX_AGE_MS);
    const { until } = await ann.hub.belonging(organization);
    expect([await standing(ann, organization), until]).toEqual(["member", Date.now() + MINUTE_MS]);
    pass(GRACE_MS);
    expect(await standing(ann, organization)).toBe("untold");
  });

  it("have their instances told when what they belong to changes, where a list asks for it", async () => {
    const ann = await member();
    await allow("user", ann.id, ann.login);
    const told: string[] = [];
    await runInDurableObject(ann.hub, (object) => {
      const tunnel = (label: string): Partial<TunnelRpc> => ({
        membershipsChanged: (owner) => Promise.resolve(void told.push(`${owner} ${label}`)),
      });
      Object.defineProperty(object, "env", { value: { ...env, TUNNEL: { getByName: tunnel } } });
    });
    const lists = {
      plain: undefined,
      people: { users: ["x"] },
      members: { organization: "acme" },
      gone: { team: "acme/core" },
    };
    for (const [id, access] of Object.entries(lists))
      await ann.hub.instanceConnected(connected(id, { access, connectedAt: START }));
    await ann.hub.instanceGone("gone", START, "stopped", START);
    await ann.hub.admission();
    expect(told).toEqual([]);
    expect(await ann.hub.membershipLost({ lost: "organization", ...acme })).toEqual(IN);
    await vi.waitFor(() => expect(told).toEqual([`${ann.userId} members-abcdefghij`]));
    expect(await standing(ann, organization)).toBe("not_member");
  });

  it("are known by the name that GitHub calls them by now", async () => {
    const ann = await member();
    github.rename(ann.login, "ann-renamed");
    const browser = await browserOf(ann);
    const sessionOf = async () => (await currentSession(browser, env))?.login;
    expect(await sessionOf()).toBe(ann.login);
    pass(MAX_AGE_MS);
    expect(await ann.hub.belonging(organization)).toMatchObject({ standing: "member", login: "ann-renamed" });
    expect(await sessionOf()).toBe("ann-renamed");
  });
});

async function dumpObject(hub: Hub): Promise<string> {
  return runInDurableObject(hub, (_object, { storage }) => {
    const tables = storage.sql
      .exec<{ name: string }>("SELECT name FROM sqlite_master WHERE type = 'table'")
      .toArray();
    return tables
      .filter(({ name }) => !name.startsWith("_cf"))
      .map(({ name }) => JSON.stringify(storage.sql.exec(`SELECT * FROM "${name}"`).toArray()))
      .join("\n");
  });
}

async function dumpDatabase(): Promise<string> {
  const tables = await env.DB.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all<{
    name: string;
  }>();
  const names = tables.results.map(({ name }) => name).filter((name) => !/^(_cf|sqlite_|d1_)/.test(name));
  const rows = await Promise.all(names.map((name) => env.DB.prepare(`SELECT * FROM "${name}"`).all()));
  return JSON.stringify(rows.map(({ results }) => results));
}
