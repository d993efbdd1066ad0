/**
 * Secrets that must not be seen again: every door of the Worker is given real and made-up ones, in whatever goes wrong, and
 * what the hub wrote to its log, its error pages and its audit log is searched for them.
 */
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { createInstanceToken, issueInstanceToken } from "./auth/token.ts";
import { instanceRoutes, routes } from "./routes.ts";
import { connectFake } from "../test/fake-connector.ts";
import { connected, HUB, signedIn, type Person } from "../test/hub.ts";

const QUERY = "canary-in-the-query";
const CODE = "canary-in-a-code-canary-in-a-code-canary-in";
const COOKIE = "canary-in-a-cookie";
const HOST = new URL(HUB).host;

let person: Person;
let admin: Person;
let tokens: { good: string; bad: string };
let log: string[] = [];

beforeAll(async () => {
  person = await signedIn("github:77");
  admin = await signedIn("github:78", "admin");
  const good = await issueInstanceToken(env.DB, { userId: person.userId, name: "laptop" });
  tokens = { good: good.text, bad: await createInstanceToken() };
});
beforeEach(() => {
  log = [];
  for (const level of ["log", "info", "warn", "error", "debug"] as const) {
    vi.spyOn(console, level).mockImplementation((...values) => {
      log.push(values.map((value) => text(value)).join(" "));
    });
  }
});
afterEach(() => vi.restoreAllMocks());

/** What must not be found: each secret as it travels, and the parts of those that have parts. */
function secrets(): string[] {
  const cookies = [person, admin].flatMap(({ cookie }) =>
    cookie.split("; ").map((pair) => pair.split("=", 2)[1] ?? ""),
  );
  const parts = cookies.flatMap((value) => [value, ...value.split(".").filter((part) => part.length > 20)]);
  return [QUERY, CODE, COOKIE, tokens.good, tokens.bad, ...parts];
}

interface Door {
  path: string;
  method?: string;
  host?: string;
  headers?: Record<string, string>;
  body?: string;
}

const form = { "content-type": "application/x-www-form-urlencoded", origin: HUB };
const upgrade = { upgrade: "websocket", connection: "Upgrade" };
const q = `q=${QUERY}&code=${CODE}&state=${CODE}&token=${QUERY}&next=/x?${QUERY}`;

/** Each as somebody who is refused, or whose request is broken; `SESSION` and `TOKEN` stand for the real ones. */
const DOORS: Door[] = [
  ...[
    routes.health,
    routes.dashboard,
    routes.client("x"),
    routes.clientReport("x"),
    routes.activity,
    routes.tokens,
    routes.sessions,
    routes.localSignIn,
    routes.gitHubSignIn,
    routes.gitHubCallback,
    routes.setup,
    routes.setupCreated,
    routes.access,
    routes.audit,
    routes.open("UPPER"),
    "/nothing-here",
    "/%E0%A4%A",
  ].map((path) => ({ path: `${path}?${q}` })),
  { path: `/nothing-here?${q}`, headers: { cookie: "SESSION" } },
  { path: `${routes.open("laptop")}?${q}`, headers: { cookie: "SESSION" } },
  { path: `${routes.access}?${q}`, headers: { cookie: "SESSION" } },
  { path: `${routes.whyAccess}?user=${QUERY}<script>`, headers: { cookie: "SESSION" } },
  {
    path: `${routes.dashboard}?${q}`,
    headers: { cookie: `__Host-orchestrator-session=${COOKIE}; __Host-orchestrator-access=${COOKIE}.x` },
  },
  {
    path: `${routes.apiTokens}?${q}`,
    method: "POST",
    headers: { cookie: "SESSION", origin: HUB },
    body: `{"name": ${QUERY}`,
  },
  {
    path: `${routes.newToken}?${q}`,
    method: "POST",
    headers: { ...form, cookie: "SESSION" },
    body: `name=${"x".repeat(100)}&x=${QUERY}`,
  },
  {
    path: `${routes.newToken}?${q}`,
    method: "POST",
    headers: { cookie: "SESSION", origin: `https://evil.example/?${QUERY}` },
  },
  { path: `${routes.signOut}?${q}`, method: "DELETE", headers: { cookie: "SESSION", origin: HUB } },
  { path: `${routes.setup}?${q}`, method: "POST", headers: form, body: `code=${CODE}` },
  {
    path: `${routes.gitHubWebhooks}?${q}`,
    method: "POST",
    headers: { "x-hub-signature-256": `sha256=${QUERY}` },
    body: `{"${QUERY}"`,
  },
  { path: `${routes.apiAccess}?${q}`, headers: { authorization: "Bearer TOKEN" } },
  { path: `${routes.apiAccess}?${q}`, headers: { authorization: `Bearer ${QUERY}` } },
  {
    path: `${routes.connect}?client_id=a%20b&${q}`,
    headers: { ...upgrade, authorization: "Bearer TOKEN", "sec-websocket-protocol": "orchestrator.v2" },
  },
  {
    path: `${routes.connect}?client_id=laptop&${q}`,
    headers: { ...upgrade, authorization: `Bearer ${QUERY}`, "sec-websocket-protocol": "orchestrator.v2" },
  },
  {
    path: `${routes.connect}?client_id=laptop&${q}`,
    headers: { ...upgrade, authorization: "Bearer BAD", "sec-websocket-protocol": "orchestrator.v2" },
  },
  {
    path: `${routes.connect}?client_id=laptop&${q}`,
    headers: { ...upgrade, authorization: "Bearer TOKEN", "sec-websocket-protocol": QUERY },
  },
  { path: `/?${q}`, host: `evil.example` },
  { path: `/page?${q}`, host: `laptop-abcdefghij.${HOST}` },
  {
    path: `/page?${q}`,
    host: `laptop-abcdefghij.${HOST}`,
    headers: { cookie: `__Host-orchestrator-viewer=${COOKIE}.${COOKIE}` },
  },
  {
    path: `${instanceRoutes.enter}?${q}`,
    host: `laptop-abcdefghij.${HOST}`,
    headers: { cookie: `__Host-orchestrator-nonce=${COOKIE}` },
  },
  { path: `${instanceRoutes.ready}?${q}`, host: `laptop-abcdefghij.${HOST}`, headers: upgrade },
];

function text(value: unknown): string {
  return value instanceof Error
    ? `${value.message} ${value.stack ?? ""}`
    : (JSON.stringify(value) ?? String(value));
}

async function knock({ path, method = "GET", host = HOST, headers = {}, body }: Door): Promise<Response> {
  const filled = Object.entries(headers).map(([name, value]): [string, string] => [
    name,
    value.replace("SESSION", person.cookie).replace("TOKEN", tokens.good).replace("BAD", tokens.bad),
  ]);
  const all = new Headers([["accept", "text/html"], ...filled, ["host", host]]);
  const init: RequestInit = {
    method,
    headers: all,
    redirect: "manual",
    ...(body === undefined ? {} : { body }),
  };
  return exports.default.fetch(new Request(`http://${host}${path}`, init));
}

function expectNone(where: string, what: string): void {
  for (const secret of secrets()) expect(what.includes(secret) ? `${where}: ${secret}` : "").toBe("");
}

test.each(DOORS)("$method $host $path tells nobody", async (door) => {
  const answer = await knock(door);
  expect(answer.status).not.toBe(500);
  expect(answer.webSocket).toBeNull();
  expectNone("page", await answer.text());
  expectNone("log", log.join("\n"));
});

test("a database that fails takes no secret into the log with it", async () => {
  vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "prepare").mockImplementation(() => {
    throw new Error("D1_ERROR: no such table");
  });
  for (const door of DOORS) {
    const answer = await knock(door);
    expectNone("page", await answer.text());
  }
  expect(log.join("\n")).toContain("D1_ERROR");
  expectNone("log", log.join("\n"));
});

test("an application that answers wrongly does neither", async () => {
  const connector = await connectFake(tokens.good, "canary", {
    http: (stream) => stream.reset("upstream_failed"),
  });
  const instances = await env.USER_HUB.getByName(person.userId).list("any");
  const { label } = (instances as { label: string }[]).find((one) => one.label.startsWith("canary")) ?? {};
  const answer = await knock({ path: `/page?${q}`, host: `${label}.${HOST}` });
  expectNone("page", await answer.text());
  connector.socket.close();
  expectNone("log", log.join("\n"));
});

test("the hub's log tells of instances and people by their ids, never what they are called, work on or write", async () => {
  const { userId } = person;
  const hub = env.USER_HUB.getByName(userId);
  const named = (what: string) => `a-persons-${what}`;
  const session = { id: named("session"), title: named("title"), project: named("path"), since: 1 };
  const metadata = { hostname: named("host"), project: `/home/${named("project")}`, platform: "linux" };
  const about = { metadata, sessions: [{ ...session, state: "working" as const }], connectedAt: Date.now() };
  await hub.instanceConnected(connected("told", about));
  await hub.instanceStatus("told", { status: "idle", sessions: [], at: Date.now() });
  const post = (path: string, body: string) =>
    knock({ path, method: "POST", headers: { ...form, cookie: "SESSION" }, body });
  expect((await post(routes.renameClient("told"), `name=${named("name")}`)).status).toBe(303);
  for (const path of [routes.refreshClient("told"), routes.disconnectClient("told")]) await post(path, "");
  for (const path of [
    routes.client("told"),
    routes.clientReport("told"),
    `${routes.activity}?q=${named("search")}`,
    routes.dashboard,
  ])
    expect((await knock({ path, headers: { cookie: "SESSION" } })).status).toBe(200);
  await post(routes.newToken, `name=${named("token")}`);
  await hub.instanceGone("told", about.connectedAt, "stopped", Date.now());
  await hub.instanceConnected(connected("told", { ...about, connectedAt: Date.now() + 1 }));
  // Each line is a text, and the text is JSON.
  const events = log.map((line) => JSON.parse(JSON.parse(line) as string) as object);
  expect(events).toContainEqual(
    expect.objectContaining({ event: "instance_connected", userId, label: "told-abcdefghij" }),
  );
  expect(events).toContainEqual(expect.objectContaining({ event: "instance_gone", userId }));
  expect(events).toContainEqual(expect.objectContaining({ event: "token_created", userId }));
  expect(log.join("\n")).not.toContain("a-persons-");
});

test("the audit log holds none of them, whatever was tried before", async () => {
  for (const door of DOORS) await (await knock(door)).text();
  const { results } = await env.DB.prepare("SELECT * FROM audit_log").all();
  expect(results.length).toBeGreaterThan(0);
  expectNone("audit log", JSON.stringify(results));
});
