/** Asking a connector for its log: what it answers, what it does not, and that nothing of it keeps the object awake. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { encodeControl, type LogLine } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import { connectFake, type FakeApplication, type FakeConnector } from "../../test/fake-connector.ts";
import { ownerWithToken } from "../../test/hub.ts";
import { tunnelOf, view } from "../../test/viewer.ts";
import { UserHub } from "../user-hub/user-hub.ts";

const OWNER = "github:1";
const LINES: LogLine[] = [
  { at: 1, level: "info", text: "connected" },
  { at: 2, level: "warning", text: "\u202eslow" },
];
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

const connect = (clientId: string, application: FakeApplication = {}) =>
  connectFake(token, clientId, application);
const inspect = async (clientId: string, owner = OWNER) => (await tunnelOf(OWNER, clientId)).inspect(owner);
const requests = (connector: FakeConnector) =>
  connector.received.filter(({ type }) => type === "log_request");
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test("brings the connector's log and how long the way takes, also when the object had to wake up", async () => {
  const connector = await connect("tells", {
    log: (answer) => void setTimeout(() => answer(LINES), 100),
  });
  for (let round = 1; round <= 2; round++) {
    const inspection = await inspect("tells");
    expect(inspection?.log).toEqual(LINES);
    expect(inspection?.latencyMs).toBeGreaterThanOrEqual(90);
    expect(inspection?.latencyMs).toBeLessThan(2500);
    await evictDurableObject(await tunnelOf(OWNER, "tells"), { webSockets: "hibernate" });
  }
  expect(new Set(requests(connector).map((one) => one.type === "log_request" && one.id)).size).toBe(2);
});

test("asked for by several at once is asked once", async () => {
  const connector = await connect("several", { log: (answer) => void setTimeout(() => answer(LINES), 50) });
  const answers = await Promise.all(Array.from({ length: 5 }, () => inspect("several")));
  expect(answers.map((one) => one?.log)).toEqual(Array.from({ length: 5 }, () => LINES));
  expect(requests(connector)).toHaveLength(1);
});

test("is not asked of a connector that does not tell one, nor by anybody but the owner", async () => {
  const silent = await connect("silent");
  const tells = await connect("owned", { log: (answer) => answer(LINES) });
  expect(await inspect("silent")).toBeNull();
  expect(await inspect("owned", "github:2")).toBeNull();
  expect(await inspect("never-connected")).toBeNull();
  expect([...requests(silent), ...requests(tells)]).toEqual([]);
});

test("that does not come ends after three seconds, and coming later it is not taken for the next", async () => {
  const late: ((lines: LogLine[]) => void)[] = [];
  let isQuick = true;
  await connect("late", { log: (answer) => (isQuick ? answer(LINES) : void late.push(answer)) });
  expect(await inspect("late")).not.toBeNull();
  isQuick = false;
  // An answered one leaves no end behind that would come to the next.
  await pause(1000);
  const asked = performance.now();
  expect(await inspect("late")).toBeNull();
  expect(performance.now() - asked).toBeGreaterThan(2900);
  const next = inspect("late");
  await expect.poll(() => late.length).toBe(2);
  late[0]?.([{ at: 1, level: "error", text: "of before" }]);
  late[1]?.(LINES);
  expect((await next)?.log).toEqual(LINES);
});

test("ends with the connection it was asked over, and with one that takes its place", async () => {
  let asked = 0;
  const mute: FakeApplication = { log: () => void asked++ };
  const first = await connect("ends", mute);
  const closing = inspect("ends");
  await expect.poll(() => asked).toBe(1);
  const at = performance.now();
  first.socket.close(1000, "stopped");
  expect(await closing).toBeNull();
  await connect("ends", mute);
  const replaced = inspect("ends");
  await expect.poll(() => asked).toBe(2);
  await connect("ends", { log: (answer) => answer(LINES) });
  expect(await replaced).toBeNull();
  expect((await inspect("ends"))?.log).toEqual(LINES);
  expect(performance.now() - at).toBeLessThan(2500);
});

test("unasked or told twice is nothing: no row, no word to the UserHub, no end of the connection", async () => {
  const connector = await connect("unasked", {
    log: (answer) => {
      answer(LINES);
      answer([]);
    },
  });
  // Its UserHub hears of it by itself, a moment later.
  const hub = env.USER_HUB.getByName(OWNER);
  await vi.waitFor(async () => expect(await hub.find("test", "unasked")).not.toBeNull());
  const tunnel = await tunnelOf(OWNER, "unasked");
  const rows = () => runInDurableObject(tunnel, (_, { storage }) => storage.sql.databaseSize);
  const before = await rows();
  const told = [
    vi.spyOn(UserHub.prototype, "instanceStatus"),
    vi.spyOn(UserHub.prototype, "instanceConnected"),
    vi.spyOn(UserHub.prototype, "instanceGone"),
  ];
  for (let id = 0; id < 20; id++) connector.socket.send(encodeControl({ type: "log", id, lines: LINES }));
  expect((await inspect("unasked"))?.log).toEqual(LINES);
  expect((await view(OWNER, "unasked", "/")).status).toBe(200);
  expect(await rows()).toBe(before);
  for (const spy of told) expect(spy).not.toHaveBeenCalled();
});

test("that is over longer than its limits costs the connection, not the object", async () => {
  const connector = await connect("hostile", {
    log: (answer) => answer([{ at: 1, level: "info", text: "x".repeat(301) }]),
  });
  expect(await inspect("hostile")).toBeNull();
  expect(await connector.closed).toBe("bad_message");
});

test(
  "answered, lets the object fall asleep by itself; unanswered, once it is given up",
  { timeout: 40_000 },
  async () => {
    await connect("sleepy", { log: (answer) => answer(LINES) });
    await connect("mute", { log: () => undefined });
    const ids = ["sleepy", "mute"];
    expect((await inspect("sleepy"))?.log).toEqual(LINES);
    const given = inspect("mute");
    for (const id of ids)
      await runInDurableObject(
        await tunnelOf(OWNER, id),
        (instance) => Object.assign(instance, { marked: true }) && true,
      );
    expect(await given).toBeNull();
    await pause(12_000);
    for (const id of ids)
      expect([
        id,
        await runInDurableObject(await tunnelOf(OWNER, id), (instance) => "marked" in instance),
      ]).toEqual([id, false]);
  },
);
