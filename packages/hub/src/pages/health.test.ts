import { env } from "cloudflare:workers";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { ask, HUB, signedIn, type BrowserRequest } from "../../test/hub.ts";
import { meter, onPlan } from "../../test/usage.ts";
import { saveCensus } from "../db/census.ts";
import type { RateLimiter } from "../rate-limiter/rate-limiter.ts";
import { routes } from "../routes.ts";
import { Meter } from "../usage/meter.ts";
import type { Health } from "./health-checks.ts";

const JSON_PLEASE = { headers: { accept: "application/json" } };
const KEPT = `${HUB}/.orchestrator/kept/health`;
const ok = { status: "ok", ms: expect.any(Number) as number };
const failing = { status: "failing", ms: expect.any(Number) as number };
let log: string[] = [];

beforeEach(async () => {
  await forget();
  log = [];
  vi.spyOn(console, "error").mockImplementation((line: string) => void log.push(line));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
  vi.useRealTimers();
  for (const name of ["GITHUB_SIGN_IN", "GITHUB_CLIENT_ID", "GITHUB_CLIENT_SECRET", "GITHUB_URL"])
    Reflect.deleteProperty(env, name);
});

/** As after five seconds. */
async function forget(): Promise<void> {
  await caches.default.delete(KEPT);
}

/** Answers once what follows the answer is done too. */
async function askHealth(request: BrowserRequest = {}): Promise<Response> {
  const answer = await ask(routes.health, request);
  if (answer.status !== 429)
    await vi.waitFor(async () => expect(await caches.default.match(KEPT)).toBeDefined());
  return answer;
}

async function health(): Promise<{ status: number; body: Health }> {
  const answer = await askHealth(JSON_PLEASE);
  return { status: answer.status, body: await answer.json<Health>() };
}

const failDatabase = () =>
  vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "prepare").mockImplementation(() => {
    throw new Error("D1_ERROR: away");
  });

function withLimiter(isUp: () => Promise<boolean>): void {
  vi.spyOn(Object.getPrototypeOf(env.RATE_LIMITER) as typeof env.RATE_LIMITER, "getByName").mockReturnValue({
    isUp,
  } as unknown as DurableObjectStub<RateLimiter>);
}

test("monitors read the counts of everybody, what each dependency says and how long it took, and the version", async () => {
  for (const [id, instances, browsers] of [
    ["ann", 3, 1],
    ["ben", 2, 0],
  ] as const) {
    await signedIn(id);
    await saveCensus(env.DB, id, { instances, browsers });
  }
  const answer = await askHealth(JSON_PLEASE);
  expect(answer.headers.get("content-type")).toContain("application/json");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual({
    status: "ok",
    version: expect.stringMatching(/^\d+\.\d+\.\d+$/) as string,
    checked_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
    counts: { instances: 5, browsers: 1 },
    usage: "normal",
    dependencies: { database: ok, objects: ok, archive: ok },
  });
  expect(log).toEqual([]);
});

test("people read the same as a page", async () => {
  const answer = await askHealth();
  const page = await answer.text();
  expect(answer.headers.get("content-type")).toContain("text/html");
  expect(page).toContain("The hub works</h1>");
  expect(page).toMatch(/Connected instances<\/dt><dd>5</);
  for (const name of ["Database", "Objects", "Archive"]) expect(page).toContain(`${name} <small`);
  expect(page).not.toContain("GitHub <small");
});

test("however many ask within five seconds, one check is made, also of what fails", async () => {
  const prepare = vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "prepare");
  await health();
  const { length } = prepare.mock.calls;
  expect(length).toBeGreaterThan(0);
  for (let times = 0; times < 5; times++) expect((await health()).status).toBe(200);
  await askHealth();
  expect(prepare.mock.calls).toHaveLength(length);
  prepare.mockRestore();
  await forget();
  const away = failDatabase();
  for (let times = 0; times < 5; times++) expect((await health()).status).toBe(503);
  expect(away.mock.calls).toHaveLength(1);
});

test("where nothing is kept, one place has as many checks as it has sign-ins in a minute", async () => {
  const request = { headers: { accept: "application/json", "cf-connecting-ip": "203.0.113.9" } };
  const statuses: number[] = [];
  // Minutes are the limiter's own: another may begin meanwhile.
  while (statuses.length < 121 && statuses.at(-1) !== 429) {
    await forget();
    statuses.push((await askHealth(request)).status);
  }
  expect(statuses.pop()).toBe(429);
  expect(statuses.length).toBeGreaterThanOrEqual(60);
  expect(new Set(statuses)).toEqual(new Set([200]));
  // Sign-ins are counted for themselves.
  const { success } = await env.EDGE_SIGN_IN.limit({ key: "203.0.113.9" });
  expect(success).toBe(true);
});

test("without its database the hub cannot work, and does not say why to everybody", async () => {
  failDatabase();
  const { status, body } = await health();
  expect(status).toBe(503);
  expect(body).toMatchObject({
    status: "failing",
    counts: null,
    dependencies: { database: failing, objects: ok },
  });
  expect(JSON.stringify(body)).not.toContain("D1_ERROR");
  expect(log).toEqual(['{"event":"dependency_failing","level":"error","kind":"database","error":"Error"}']);
  const page = await askHealth();
  expect(page.status).toBe(503);
  const text = await page.text();
  expect(text).toContain("The hub cannot work now</h1>");
  expect(text).toContain("unknown</dd>");
  expect(text).toContain("does not answer");
});

test("nor without its objects", async () => {
  withLimiter(() => Promise.reject(new Error("overloaded")));
  expect(await health()).toMatchObject({
    status: 503,
    body: { status: "failing", dependencies: { objects: failing, database: ok } },
  });
});

test("what does not answer within two seconds fails, and keeps no other from being asked", async () => {
  withLimiter(() => new Promise(() => undefined));
  const begun = Date.now();
  const { status, body } = await health();
  expect(status).toBe(503);
  expect(body.dependencies.objects.ms).toBeGreaterThanOrEqual(1990);
  expect(Date.now() - begun).toBeLessThan(6000);
  expect(body.dependencies.database.status).toBe("ok");
  expect(log[0]).toContain("TookTooLong");
});

test("without its archive it goes on", async () => {
  vi.spyOn(Object.getPrototypeOf(env.ARCHIVE) as R2Bucket, "head").mockRejectedValue(new Error("R2 is away"));
  expect(await health()).toMatchObject({
    status: 200,
    body: { status: "ok", dependencies: { archive: failing } },
  });
  expect(await (await askHealth()).text()).toContain("The hub works, but not all of it</h1>");
});

test("a hub that was deployed without an archive says so", async () => {
  const { ARCHIVE } = env;
  Reflect.deleteProperty(env, "ARCHIVE");
  try {
    const { status, body } = await health();
    expect(status).toBe(200);
    expect(body.dependencies.archive).toEqual({ status: "not_configured", ms: null });
    expect(await (await askHealth()).text()).toContain("not set up");
  } finally {
    Object.assign(env, { ARCHIVE });
  }
});

test.each<[string, Record<string, string>, () => Promise<Response>, object]>([
  ["is not set up", {}, () => Promise.reject(new Error("not asked")), { status: "not_configured", ms: null }],
  ["answers", { GITHUB_CLIENT_ID: "Iv1.x", GITHUB_CLIENT_SECRET: "s" }, async () => Response.json({}), ok],
  [
    "refuses us, and so is there",
    { GITHUB_CLIENT_ID: "Iv1.x", GITHUB_CLIENT_SECRET: "s" },
    async () => new Response("no", { status: 403 }),
    ok,
  ],
  [
    "fails",
    { GITHUB_CLIENT_ID: "Iv1.x", GITHUB_CLIENT_SECRET: "s" },
    async () => new Response("", { status: 502 }),
    failing,
  ],
  [
    "is away",
    { GITHUB_CLIENT_ID: "Iv1.x", GITHUB_CLIENT_SECRET: "s" },
    () => Promise.reject(new TypeError("network")),
    failing,
  ],
  ["is set up wrongly", { GITHUB_CLIENT_ID: "Iv1.x" }, () => Promise.reject(new Error("not asked")), failing],
])("a GitHub that %s is said to be so, and the hub goes on", async (_, settings, answer, expected) => {
  Object.assign(env, { GITHUB_SIGN_IN: "enabled" }, settings);
  const asked: string[] = [];
  vi.stubGlobal("fetch", (url: string) => {
    asked.push(url);
    return answer();
  });
  const { status, body } = await health();
  expect(status).toBe(200);
  expect(body.dependencies.github).toEqual(expected);
  expect(asked.every((url) => url === "https://api.github.com/rate_limit")).toBe(true);
});

test("says how near the end of a quota the hub is, and no number of it; the Meter is asked seldom", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 11, 7, 9) });
  await onPlan({ PLAN: "free" });
  await meter.add({ rows_written: 97_000 });
  const asked = vi.spyOn(Meter.prototype, "allowance");
  expect((await health()).body.usage).toBe("normal");
  // What was known an hour ago is too old.
  vi.setSystemTime(Date.now() + 61 * 60_000);
  for (let times = 0; times < 3; times++) {
    await forget();
    const { body } = await health();
    expect(body.usage).toBe("exhausted");
    expect(JSON.stringify(body)).not.toContain("97");
  }
  expect(await (await askHealth()).text()).toContain("used up: nothing new is opened at instances");
  expect(asked).toHaveBeenCalledOnce();
  vi.useRealTimers();
  await onPlan({});
});
