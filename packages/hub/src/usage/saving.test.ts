/** What the hub does near the end of a quota, level by level, and that it goes back. */
import { evictDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { openPage } from "../../test/dashboards.ts";
import { connectFake, type FakeConnector } from "../../test/fake-connector.ts";
import { ask, connected, HUB, instanceOf, ownerWithToken, signedIn, type Person } from "../../test/hub.ts";
import { OPENED, pathInstance } from "../../test/path-viewer.ts";
import { know, meter, onPlan } from "../../test/usage.ts";
import { openWebSocket, view } from "../../test/viewer.ts";
import { instanceRoutes, routes } from "../routes.ts";
import { UserHub } from "../user-hub/user-hub.ts";
import type { Allowance } from "./allowance.ts";
import { Meter } from "./meter.ts";
import { usage } from "./usage.ts";

const OWNER = "github:61";
const HOUR_MS = 60 * 60_000;
const PAGE = "<!doctype html><html><head><title>a</title></head><body>b</body></html>";

let token: string;
let person: Person;
let connector: FakeConnector;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
  person = await signedIn(OWNER);
  connector = await connectFake(token, "laptop", {
    http(stream) {
      stream.respond({ status: 200, headers: [["content-type", "text/html"]] });
      stream.write(new TextEncoder().encode(PAGE));
      stream.end();
    },
  });
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  know("normal");
});
afterAll(() => onPlan({}));

const hub = () => env.USER_HUB.getByName(OWNER);
const session = (since: number) => ({ id: "s", state: "working" as const, since, project: "/p" });
const report = (since: number) => connector.sendStatus({ status: "busy", sessions: [session(since)] });
const since = async () => (await instanceOf(hub(), "laptop"))?.sessions[0]?.since;
const pause = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("tight", () => {
  test("reports of an instance wait for each other, the last of them arrives, and a calm one is told at once", async () => {
    const told = vi.spyOn(UserHub.prototype, "instanceStatus");
    know("tight");
    for (let at = 1; at <= 30; at++) {
      report(at);
      await pause(10);
    }
    await expect.poll(since, { timeout: 4000 }).toBe(30);
    // The first at once, and two seconds later the last.
    expect(told.mock.calls.length).toBe(2);
    know("normal");
    await pause(300);
    told.mockClear();
    for (let at = 31; at <= 32; at++) {
      report(at);
      await expect.poll(since).toBe(at);
      await pause(250);
    }
    expect(told.mock.calls.length).toBe(2);
  });

  test("dashboards that are opened ask half as often, and as before once it is over", async () => {
    const dashboard = async () => (await ask(routes.dashboard, { person })).text();
    expect(await dashboard()).toContain('data-proof-max-age="90000"');
    know("tight");
    expect(await dashboard()).toContain('data-proof-max-age="180000"');
    know("normal");
    expect(await dashboard()).toContain('data-proof-max-age="90000"');
  });
});

describe("scarce", () => {
  const document = async () => (await view(OWNER, "laptop", "/", { headers: OPENED })).text();

  test("pages of instances come without the mark, and with it once it is over", async () => {
    expect(await document()).toContain("mark.js");
    know("tight");
    expect(await document()).toContain("mark.js");
    know("scarce");
    expect(await document()).toBe(PAGE);
    know("normal");
    expect(await document()).toContain("mark.js");
  });

  test("in path mode the mark is an empty script", async () => {
    const { look } = await pathInstance("github:62", "desktop");
    know("scarce");
    const answer = await look(instanceRoutes.mark);
    expect([answer.status, await answer.text()]).toEqual([200, ""]);
  });

  test("an instance's log comes for who asks, not by itself", async () => {
    const details = async () => (await ask(routes.clientDetails("laptop"), { person })).text();
    expect(await details()).toContain('hx-trigger="load"');
    know("scarce");
    expect(await details()).not.toContain('hx-trigger="load"');
    expect(await details()).toContain(routes.clientReport((await instanceOf(hub(), "laptop"))?.label ?? ""));
  });

  test("everything still opens", async () => {
    know("scarce");
    expect((await view(OWNER, "laptop", "/")).status).toBe(200);
    (await openWebSocket(OWNER, "laptop")).socket.close(1000, "");
  });
});

describe("exhausted", () => {
  test("nothing new is opened at instances, before their objects are asked, with an honest answer", async () => {
    const tunnels = vi.spyOn(env.TUNNEL, "getByName");
    know("exhausted");
    const answer = await view(OWNER, "laptop", "/", { headers: { accept: "application/json" } });
    expect(answer.status).toBe(503);
    expect(answer.headers.get("x-orchestrator-error")).toBe("quota_reached");
    expect(Number(answer.headers.get("retry-after"))).toBeGreaterThan(3500);
    expect(await answer.json()).toMatchObject({ error: { code: "quota_reached" } });
    const page = await (await view(OWNER, "laptop", "/", { headers: OPENED })).text();
    expect(page).toMatch(/nothing new is opened at instances until \d+ \w+, 00:00 UTC/);
    expect(page).toContain(`href="${HUB}${routes.dashboard}"`);
    expect((await view(OWNER, "laptop", "/ws", { headers: { upgrade: "websocket" } })).status).toBe(503);
    expect(tunnels).not.toHaveBeenCalled();
  });

  test("nor in path mode", async () => {
    const { look } = await pathInstance("github:62", "desktop");
    know("exhausted");
    const answer = await look("/");
    expect([answer.status, answer.headers.get("x-orchestrator-error")]).toEqual([503, "quota_reached"]);
  });

  test("who is not signed in is asked to sign in first", async () => {
    know("exhausted");
    const label = (await instanceOf(hub(), "laptop"))?.label ?? "";
    const host = `${label}.hub.localhost:8787`;
    const nobody = await exports.default.fetch(`http://${host}/`, { headers: { host } });
    expect(nobody.headers.get("x-orchestrator-error")).toBe("sign_in_required");
  });

  test("where only the Tunnel knows it refuses, and the Worker has learnt it", async () => {
    know("exhausted");
    vi.spyOn(usage, "exhaustedUntil").mockReturnValueOnce(null);
    const learn = vi.spyOn(usage, "learnExhausted");
    expect((await view(OWNER, "laptop", "/")).status).toBe(503);
    const [until = 0, now = 0] = learn.mock.calls[0] ?? [];
    expect(Math.abs(until - now - HOUR_MS)).toBeLessThan(10_000);
  });

  test("what is open goes on; dashboards, sign-ins and connectors work", async () => {
    const opened = await openWebSocket(OWNER, "laptop");
    know("exhausted");
    opened.socket.send("still there");
    expect(await opened.next()).toBe("still there");
    opened.socket.close(1000, "");
    expect((await ask(routes.dashboard, { person })).status).toBe(200);
    expect((await ask(routes.health)).status).toBe(200);
    expect((await ask(routes.sessions, { person })).status).toBe(200);
    const page = await openPage(person);
    await connectFake(token, "new-one");
    await vi.waitFor(() => expect(page.messages.join("")).toContain("new-one"));
    page.close();
    const mark = await view(OWNER, "laptop", instanceRoutes.presence, { headers: { upgrade: "websocket" } });
    expect(mark.status).toBe(101);
    mark.webSocket?.accept();
    mark.webSocket?.close(1000, "");
  });

  test("it is over when the quota begins anew, without anybody being asked", async () => {
    const asked = vi.spyOn(Meter.prototype, "allowance");
    know("exhausted", Date.now(), 300);
    expect((await view(OWNER, "laptop", "/")).status).toBe(503);
    await expect.poll(async () => (await view(OWNER, "laptop", "/")).status).toBe(200);
    expect(asked).not.toHaveBeenCalled();
  });
});

describe("how it travels", () => {
  const status = (at: number) => ({ status: "idle" as const, sessions: [], at });

  /** A UserHub that knows of an instance, and how often the Meter was asked since. */
  async function newHub(name: string) {
    const stub = env.USER_HUB.getByName(name);
    await stub.instanceConnected(connected("desktop"));
    const asked = vi.spyOn(Meter.prototype, "allowance");
    const tell = async (): Promise<Allowance | undefined> =>
      stub.instanceStatus("desktop", status(Date.now()));
    return { stub, tell, asked };
  }

  test("on a plan without a quota nobody is ever asked", async () => {
    await onPlan({ PLAN: "paid" });
    const { tell, asked } = await newHub("nobody-asks");
    expect([await tell(), await tell()]).toEqual([undefined, undefined]);
    expect(asked).not.toHaveBeenCalled();
  });

  test("with answers to reports: asked for when one comes and what is known is old, and kept across evictions", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 11, 3, 8) });
    await onPlan({ PLAN: "free" });
    await meter.add({ rows_written: 30_000 });
    know("normal");
    const { stub, tell, asked } = await newHub("asks");
    expect((await tell())?.level).toBe("normal");
    expect(asked).not.toHaveBeenCalled();
    vi.setSystemTime(Date.now() + HOUR_MS);
    await meter.add({ rows_written: 57_000 });
    // What it answers with first is what it knew; the next has what it was told.
    await tell();
    await vi.waitFor(() => expect(asked).toHaveBeenCalledOnce());
    await vi.waitFor(async () => expect((await tell())?.level).toBe("scarce"));
    expect(asked).toHaveBeenCalledOnce();
    vi.setSystemTime(Date.now() + 29 * 60_000);
    await evictDurableObject(stub);
    expect((await tell())?.level).toBe("scarce");
    expect(asked).toHaveBeenCalledOnce();
    vi.setSystemTime(Date.now() + 60_000);
    await tell();
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(2));
  });

  test("a Meter that does not answer is left alone for a while, and nobody notices", async () => {
    vi.useFakeTimers({ toFake: ["Date"], now: Date.UTC(2026, 11, 5, 8) });
    await onPlan({ PLAN: "free" });
    const { tell, asked } = await newHub("alone");
    const warn = vi.spyOn(console, "warn").mockImplementation(() => undefined);
    asked.mockImplementation(() => {
      throw new Error("overloaded");
    });
    vi.setSystemTime(Date.now() + 7 * HOUR_MS);
    for (let times = 0; times < 5; times++) await tell();
    await vi.waitFor(() => expect(warn).toHaveBeenCalledOnce());
    expect(asked).toHaveBeenCalledOnce();
    vi.setSystemTime(Date.now() + 10 * 60_000);
    await tell();
    await vi.waitFor(() => expect(asked).toHaveBeenCalledTimes(2));
  });
});

test("an answer that streams is counted for as long as it lasts, once for all at the same time", async () => {
  const ends: (() => void)[] = [];
  await connectFake(token, "streams", {
    http(stream) {
      stream.respond({ status: 200, headers: [] });
      ends.push(() => stream.end());
    },
  });
  const counted: number[] = [];
  vi.spyOn(usage, "count").mockImplementation((unit, amount = 1) => {
    if (unit === "awake_seconds") counted.push(amount);
  });
  const answers = await Promise.all([1, 2, 3].map(() => view(OWNER, "streams", "/")));
  await vi.waitFor(() => expect(ends).toHaveLength(3));
  const read = answers.map((answer) => answer.text());
  await pause(400);
  for (const end of ends) end();
  await Promise.all(read);
  await vi.waitFor(() => expect(counted).toHaveLength(1));
  expect(counted[0]).toBeGreaterThan(0.3);
  expect(counted[0]).toBeLessThan(5);
});
