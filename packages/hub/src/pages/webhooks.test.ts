/** GitHub's webhooks as they arrive: signed, replayed, forged, and what becomes of the people they are about. */
import { createExecutionContext, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { FakeGitHub } from "../../test/fake-github.ts";
import { cookiePair, HUB } from "../../test/hub.ts";
import { app } from "../app.ts";
import type { Membership } from "../auth/policy.ts";
import { currentSession, signIn } from "../auth/session.ts";
import { listAllowedEntities, saveAllowedEntity } from "../db/allowed-entities.ts";
import { upsertUser } from "../db/users.ts";
import { routes } from "../routes.ts";
import type { UserHub } from "../user-hub/user-hub.ts";

const START = Date.UTC(2026, 10, 20);
const DAY_MS = 24 * 60 * 60_000;

const github = new FakeGitHub({ origin: "http://github.localhost", hub: HUB, now: () => Date.now() });
const acme = github.addOrganization("acme");
const core = github.addTeam("acme", "core");
github.install("acme");
const sender = { login: "owner", id: 1, type: "User" };
Object.assign(env, github.settings);

const inAcme: Membership = { kind: "organization", id: acme.id, name: "acme", state: "active" };
const inCore: Membership = { kind: "team", id: core.id, name: "acme/core", state: "active" };

beforeEach(async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: START });
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
  github.requests.length = 0;
  github.outage = "none";
  const tables = ["users", "admissions", "allowed_entities", "audit_log", "sessions", "webhook_deliveries"];
  await env.DB.batch(tables.map((table) => env.DB.prepare(`DELETE FROM ${table}`)));
  await saveAllowedEntity(env.DB, { kind: "organization", id: acme.id, name: "acme", role: "member" }, null);
});

afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

interface Member {
  login: string;
  id: number;
  browser: Request;
}

let people = 0;

/** A member of acme who is signed in. */
async function member(of: Membership[] = [inAcme]): Promise<Member> {
  const login = `person-${++people}`;
  const { id } = github.addUser(login);
  github.join("acme", login);
  github.joinTeam("acme", "core", login);
  const userId = `github:${id}`;
  await upsertUser(env.DB, { id: userId, login, name: login });
  const memberships = { userId: id, login, of, checkedAt: Date.now() };
  await env.USER_HUB.getByName(userId).signedIn(github.grantFor(login), memberships);
  const cookies = await signIn(new Request(HUB), env, userId);
  return {
    login,
    id,
    browser: new Request(HUB, { headers: { cookie: cookies.map(cookiePair).join("; ") } }),
  };
}

const isIn = async ({ browser }: Member): Promise<boolean> => (await currentSession(browser, env)) !== null;

function deliver(request: Request): Promise<Response> {
  return Promise.resolve(app.fetch(request, env, createExecutionContext()));
}

/** What GitHub sends when somebody leaves; the same for everybody who leaves twice. */
function leaving({ id, login }: { id: number; login: string }): Promise<Request> {
  const membership = { state: "inactive", role: "unaffiliated", user: { id, login, type: "User" } };
  return github.webhook("organization", {
    action: "member_removed",
    membership,
    organization: { ...acme, description: "ünïcode" },
    sender,
  });
}

/** The same delivery, changed. */
async function forged(
  request: Request,
  change: { headers?: Record<string, string | null>; body?: BodyInit } = {},
): Promise<Request> {
  const headers = new Headers(request.headers);
  for (const [name, value] of Object.entries(change.headers ?? {})) {
    if (value === null) headers.delete(name);
    else headers.set(name, value);
  }
  const body = change.body ?? (await request.arrayBuffer());
  return new Request(request.url, { method: request.method, headers, body });
}

async function count(table: string): Promise<number> {
  return (await env.DB.prepare(`SELECT count(*) AS count FROM ${table}`).first<number>("count")) ?? -1;
}

describe("a delivery", () => {
  it("that is GitHub's takes effect at once, whatever its API says", async () => {
    const [ann, ben] = [await member(), await member()];
    expect((await deliver(await leaving(ann))).status).toBe(204);
    expect(await isIn(ann)).toBe(false);
    expect(await isIn(ben)).toBe(true);
    expect(github.requests).toEqual([]);
    expect(await count("webhook_deliveries")).toBe(1);
  });

  it("needs neither a sign-in nor an Origin, and sets no cookie", async () => {
    const answer = await deliver(await github.webhook("ping", { zen: "Design for failure." }));
    expect(answer.status).toBe(204);
    expect(answer.headers.getSetCookie()).toEqual([]);
    expect(await count("webhook_deliveries")).toBe(0);
  });

  it("that comes again is not believed, but makes the hub ask", async () => {
    const ann = await member();
    const delivery = await leaving(ann);
    expect((await deliver(delivery.clone())).status).toBe(204);
    vi.setSystemTime(START + 5 * 60_000);
    const again = { userId: ann.id, login: ann.login, of: [inAcme], checkedAt: Date.now() };
    await env.USER_HUB.getByName(`github:${ann.id}`).signedIn(github.grantFor(ann.login), again);
    const cookies = await signIn(new Request(HUB), env, `github:${ann.id}`);
    ann.browser = new Request(HUB, { headers: { cookie: cookies.map(cookiePair).join("; ") } });

    vi.setSystemTime(START + 10 * 60_000);
    const replay = await forged(delivery, { headers: { "x-github-delivery": crypto.randomUUID() } });
    for (let times = 0; times < 3; times++) {
      expect((await deliver(replay.clone())).status).toBe(204);
    }
    expect(await isIn(ann)).toBe(true);
    expect(github.requests).toHaveLength(2);

    // Who leaves again is told of in the same words.
    github.leave("acme", ann.login);
    vi.setSystemTime(START + 20 * 60_000);
    expect((await deliver(replay)).status).toBe(204);
    expect(await isIn(ann)).toBe(false);
    expect(await count("webhook_deliveries")).toBe(1);
  });

  it("about somebody whom the hub does not know leaves nothing behind", async () => {
    const nobody = { id: 987_654_321, login: "nobody" };
    expect((await deliver(await leaving(nobody))).status).toBe(204);
    const revoked = { action: "revoked", sender: nobody };
    expect((await deliver(await github.webhook("github_app_authorization", revoked))).status).toBe(204);
    expect(await count("webhook_deliveries")).toBe(0);
    const kept = await runInDurableObject(
      env.USER_HUB.getByName(`github:${nobody.id}`),
      (_hub, { storage }) => storage.sql.exec("SELECT * FROM membership_losses").toArray(),
    );
    expect(kept).toEqual([]);
  });

  it("that fails is not taken for done", async () => {
    const ann = await member();
    const hub = env.USER_HUB.getByName(`github:${ann.id}`);
    await runInDurableObject(hub, (object: UserHub) => {
      Object.defineProperty(object, "membershipLost", {
        value: () => Promise.reject(new Error("broken")),
        configurable: true,
      });
    });
    const delivery = await leaving(ann);
    expect((await deliver(delivery.clone())).status).toBe(500);
    expect(await count("webhook_deliveries")).toBe(0);
    await runInDurableObject(hub, (object: UserHub) => {
      Reflect.deleteProperty(object, "membershipLost");
    });
    expect((await deliver(delivery)).status).toBe(204);
    expect(await isIn(ann)).toBe(false);
  });

  it("is forgotten after 30 days", async () => {
    const [ann, ben, cleo] = [await member(), await member(), await member()];
    await deliver(await leaving(ann));
    vi.setSystemTime(START + 30 * DAY_MS - 1);
    await deliver(await leaving(ben));
    expect(await count("webhook_deliveries")).toBe(2);
    vi.setSystemTime(START + 30 * DAY_MS);
    await deliver(await leaving(cleo));
    expect(await count("webhook_deliveries")).toBe(2);
  });
});

describe("a forgery", () => {
  interface Change {
    headers?: Record<string, string | null>;
    body?: string;
  }
  const noSignature: Change = { headers: { "x-hub-signature-256": null } };

  it.each<[what: string, change: Change]>([
    ["without a signature", noSignature],
    ["with an empty one", { headers: { "x-hub-signature-256": "" } }],
    ["with the old kind only", { headers: { "x-hub-signature-256": null, "x-hub-signature": "sha1=00" } }],
    ["with another one", { headers: { "x-hub-signature-256": `sha256=${"0".repeat(64)}` } }],
    ["with another body", { body: `{"action":"deleted"}` }],
    ["with no body", { body: "" }],
  ])("%s is refused and written down", async (_what, change) => {
    const ann = await member();
    const ip = `192.0.2.${++people}`;
    const headers = { ...change.headers, "cf-connecting-ip": ip };
    const answer = await deliver(await forged(await leaving(ann), { ...change, headers }));
    expect(answer.status).toBe(401);
    expect(await answer.json()).toMatchObject({ error: { code: "webhook_refused" } });
    expect(await isIn(ann)).toBe(true);
    const { results } = await env.DB.prepare("SELECT action, user_id, reason, ip FROM audit_log").all();
    expect(results).toEqual([
      {
        action: "webhook_refused",
        user_id: null,
        reason: change.headers?.["x-hub-signature-256"] === null ? "no_signature" : "wrong_signature",
        ip,
      },
    ]);
  });

  it("made with another App's secret is refused", async () => {
    const ann = await member();
    const other = { ...github.app, webhookSecret: "guessed" };
    const delivery = await github.webhook("organization", { action: "deleted", organization: acme }, other);
    expect((await deliver(delivery)).status).toBe(401);
    expect(await isIn(ann)).toBe(true);
  });

  it("is refused by a hub that knows no secret, an empty one too", async () => {
    Object.assign(env, { GITHUB_WEBHOOK_SECRET: "" });
    const unsigned = { ...github.app, webhookSecret: "x" };
    expect((await deliver(await github.webhook("ping", {}, unsigned))).status).toBe(401);
    Object.assign(env, { GITHUB_SIGN_IN: "" });
    expect((await deliver(await github.webhook("ping", {}))).status).toBe(401);
    Object.assign(env, { GITHUB_SIGN_IN: "enabled", GITHUB_WEBHOOK_SECRET: github.app.webhookSecret });
  });

  it("from one place is written down only so often, and then told to wait", async () => {
    const from = { "x-hub-signature-256": null, "cf-connecting-ip": "198.51.100.7" };
    const delivery = await forged(await leaving({ id: 1, login: "x" }), { headers: from });
    const statuses: number[] = [];
    for (let times = 0; times < 25; times++) {
      const answer = await deliver(delivery.clone());
      statuses.push(answer.status);
      if (answer.status === 429) expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(0);
    }
    expect(statuses).toEqual([...Array<number>(20).fill(401), ...Array<number>(5).fill(429)]);
    expect(await count("audit_log")).toBe(20);
    // GitHub itself comes from elsewhere and is not in the way; nor is what is signed.
    const signed = await forged(await leaving({ id: 1, login: "x" }), {
      headers: { "cf-connecting-ip": "198.51.100.7" },
    });
    expect((await deliver(signed)).status).toBe(204);
  });
});

describe("a body", () => {
  it("of more than 1 MiB is refused, with or without its length", async () => {
    const large = JSON.stringify({ action: "deleted", filler: "x".repeat(1024 * 1024) });
    const signed = await github.webhook("organization", JSON.parse(large) as unknown);
    expect((await deliver(signed.clone())).status).toBe(413);
    const chunked = await forged(signed, { body: new Blob([large]).stream() });
    expect(chunked.headers.has("content-length")).toBe(false);
    expect((await deliver(chunked)).status).toBe(413);
  });

  it("may be larger than what people send", async () => {
    const payload = { action: "created", filler: "x".repeat(500 * 1024) };
    expect((await deliver(await github.webhook("repository", payload))).status).toBe(204);
  });

  it.each(["", "{", "payload=%7B%7D", `{"action":"deleted"}`, `{"action":"deleted","organization":7}`])(
    "%j is refused though it is signed",
    async (body) => {
      const answer = await deliver(await signedText("organization", body));
      expect(answer.status).toBe(400);
      expect(await answer.json()).toMatchObject({ error: { code: "bad_request" } });
    },
  );

  it("that is no UTF-8, and a delivery of no event, are refused though they are signed", async () => {
    expect((await deliver(await signedText("organization", new Uint8Array([0xff, 0xfe])))).status).toBe(400);
    const ping = await github.webhook("ping", {});
    expect((await deliver(await forged(ping, { headers: { "x-github-event": null } }))).status).toBe(400);
  });

  it("is taken by POST only", async () => {
    for (const method of ["GET", "PUT", "DELETE"]) {
      const answer = await deliver(new Request(`${HUB}${routes.gitHubWebhooks}`, { method }));
      expect(answer.status).toBeGreaterThanOrEqual(400);
    }
  });
});

describe("what GitHub tells", () => {
  it("that somebody left a team", async () => {
    await env.DB.prepare("DELETE FROM allowed_entities").run();
    await saveAllowedEntity(env.DB, { kind: "team", id: core.id, name: "acme/core", role: "member" }, null);
    const [ann, ben] = [await member([inCore]), await member([inCore])];
    const { id, login } = ann;
    const payload = {
      action: "removed",
      scope: "team",
      member: { id, login },
      team: core,
      organization: acme,
    };
    expect((await deliver(await github.webhook("membership", payload))).status).toBe(204);
    expect([await isIn(ann), await isIn(ben)]).toEqual([false, true]);
  });

  it.each([
    ["organization", { action: "deleted", organization: acme }, inAcme],
    ["organization", { action: "deleted", organization: acme }, inCore],
    ["team", { action: "deleted", team: core, organization: acme }, inCore],
  ])("that something is no more, to everybody in it: %s %j", async (event, payload, was) => {
    const inOther: Membership = { kind: "organization", id: 77, name: "other", state: "none" };
    await env.DB.prepare("DELETE FROM allowed_entities").run();
    for (const { kind, id, name } of [was, inOther])
      await saveAllowedEntity(env.DB, { kind, id, name, role: "member" }, null);
    const [ann, ben] = [await member([was, inOther]), await member([was, inOther])];
    const eve = await member([
      { ...was, state: "none" },
      { ...inOther, state: "active" },
    ]);
    expect([await isIn(ann), await isIn(ben), await isIn(eve)]).toEqual([true, true, true]);
    expect((await deliver(await github.webhook(event, payload))).status).toBe(204);
    expect([await isIn(ann), await isIn(ben), await isIn(eve)]).toEqual([false, false, true]);
    expect(github.requests).toEqual([]);
  });

  it.each(["deleted", "suspend"])(
    "that the App was %s somewhere: everybody there is asked after",
    async (action) => {
      const [ann, ben] = [await member(), await member()];
      vi.setSystemTime(START + 60_000);
      const payload = { action, installation: { id: 1, account: { ...acme, type: "Organization" } }, sender };
      // The fake has not heard of it: it says what it said before.
      expect((await deliver(await github.webhook("installation", payload))).status).toBe(204);
      expect([await isIn(ann), await isIn(ben)]).toEqual([true, true]);
      expect(github.requests).toHaveLength(4);

      github.uninstall("acme");
      vi.setSystemTime(START + 120_000);
      expect((await deliver(await github.webhook("installation", { ...payload, n: 2 }))).status).toBe(204);
      github.install("acme");
      expect([await isIn(ann), await isIn(ben)]).toEqual([false, false]);
      const reason = await env.DB.prepare("SELECT DISTINCT reason FROM admissions").first("reason");
      expect(reason).toBe("app_not_installed");
    },
  );

  it("that somebody withdrew their authorization", async () => {
    const ann = await member();
    const payload = { action: "revoked", sender: { id: ann.id, login: ann.login } };
    expect((await deliver(await github.webhook("github_app_authorization", payload))).status).toBe(204);
    expect(await isIn(ann)).toBe(false);
  });

  it("that an organisation or a team has another name", async () => {
    const add = (kind: "organization" | "team", id: number, name: string) =>
      saveAllowedEntity(env.DB, { kind, id, name, role: "member" }, null);
    await add("team", core.id, "Acme/core");
    await add("team", 78, "acme-labs/core");
    await add("organization", 79, "acme-labs");
    const renamed = { ...acme, login: "acme-inc" };
    const changes = { login: { from: "acme" } };
    const payload = { action: "renamed", changes, organization: renamed };
    expect((await deliver(await github.webhook("organization", payload))).status).toBe(204);
    const team = { ...core, slug: "kernel", name: "Kernel" };
    const edited = { action: "edited", changes: { name: { from: "Core" } }, team, organization: renamed };
    expect((await deliver(await github.webhook("team", edited))).status).toBe(204);
    const hostile = { ...payload, organization: { ...acme, login: "<script>" } };
    expect((await deliver(await github.webhook("organization", hostile))).status).toBe(204);
    const names = (await listAllowedEntities(env.DB)).map(({ kind, name }) => `${kind} ${name}`);
    expect(names).toEqual([
      "organization acme-inc",
      "team acme-inc/kernel",
      "organization acme-labs",
      "team acme-labs/core",
    ]);
  });
});

/** Any text, signed by GitHub. */
async function signedText(event: string, body: string | Uint8Array<ArrayBuffer>): Promise<Request> {
  const bytes = typeof body === "string" ? new TextEncoder().encode(body) : body;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const secret = new TextEncoder().encode(github.app.webhookSecret);
  const key = await crypto.subtle.importKey("raw", secret, algorithm, false, ["sign"]);
  const digest = [...new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes))];
  const hex = digest.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return forged(await github.webhook(event, {}), {
    headers: { "x-hub-signature-256": `sha256=${hex}` },
    body: bytes,
  });
}
