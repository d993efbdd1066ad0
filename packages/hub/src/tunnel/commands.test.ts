/** Asking a connector to look again: that it says when it has, that it does not, and that older ones are asked as before. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { encodeControl } from "@ai-orchestrator/protocol";
import { beforeAll, expect, test } from "vitest";
import { connectFake, type FakeApplication, type FakeConnector } from "../../test/fake-connector.ts";
import { ownerWithToken } from "../../test/hub.ts";
import { tunnelOf } from "../../test/viewer.ts";

const OWNER = "github:1";
let token: string;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});

const connect = (clientId: string, application: FakeApplication = {}) =>
  connectFake(token, clientId, application);
const refresh = async (clientId: string, owner = OWNER) =>
  (await tunnelOf(OWNER, clientId)).refreshStatus(owner);
const commands = ({ received }: FakeConnector) => received.filter(({ type }) => type === "command");

test("waits until the connector says that it has, also when the object had to wake up", async () => {
  const connector = await connect("says", { command: (done) => void setTimeout(done, 100) });
  for (let round = 1; round <= 2; round++) {
    const asked = performance.now();
    expect(await refresh("says")).toBe("done");
    expect(performance.now() - asked).toBeGreaterThan(90);
    await evictDurableObject(await tunnelOf(OWNER, "says"), { webSockets: "hibernate" });
  }
  const ids = commands(connector).map((one) => one.type === "command" && one.id);
  expect([ids.length, new Set(ids).size]).toEqual([2, 2]);
});

test("of several at once is one command", async () => {
  const connector = await connect("several", { command: (done) => void setTimeout(done, 50) });
  expect(await Promise.all(Array.from({ length: 5 }, () => refresh("several")))).toEqual(
    Array.from({ length: 5 }, () => "done"),
  );
  expect(commands(connector)).toHaveLength(1);
});

test("asks a connector that does not answer commands without an id, and waits for nothing", async () => {
  const connector = await connect("older");
  expect(await refresh("older")).toBe("asked");
  await expect.poll(() => commands(connector)).toEqual([{ type: "command", command: "refresh_status" }]);
  expect(await refresh("older", "github:2")).toBe("away");
  expect(await refresh("never-connected")).toBe("away");
});

test("gives up after a second and a half, and what comes late is not taken for the next", async () => {
  const late: (() => void)[] = [];
  let isMute = true;
  await connect("late", { command: (done) => (isMute ? void late.push(done) : done()) });
  const asked = performance.now();
  expect(await refresh("late")).toBe("unanswered");
  expect(performance.now() - asked).toBeGreaterThan(1400);
  const next = refresh("late");
  await expect.poll(() => late.length).toBe(2);
  late[0]?.();
  expect(await next).toBe("unanswered");
  isMute = false;
  expect(await refresh("late")).toBe("done");
});

test("ends with the connection it was given over, and with one that takes its place", async () => {
  let given = 0;
  const mute: FakeApplication = { command: () => void given++ };
  const first = await connect("ends", mute);
  const closing = refresh("ends");
  await expect.poll(() => given).toBe(1);
  const at = performance.now();
  first.socket.close(1000, "stopped");
  expect(await closing).toBe("unanswered");
  await connect("ends", mute);
  const replaced = refresh("ends");
  await expect.poll(() => given).toBe(2);
  await connect("ends", { command: (done) => done() });
  expect(await replaced).toBe("unanswered");
  expect(await refresh("ends")).toBe("done");
  expect(performance.now() - at).toBeLessThan(1400);
});

test("an answer that nobody asked for is nothing; a malformed one ends the connection", async () => {
  const connector = await connect("unasked", { command: (done) => done() });
  const tunnel = await tunnelOf(OWNER, "unasked");
  const size = () => runInDurableObject(tunnel, (_, { storage }) => storage.sql.databaseSize);
  const before = await size();
  for (let id = 0; id < 20; id++) connector.socket.send(encodeControl({ type: "command_done", id }));
  expect(await refresh("unasked")).toBe("done");
  expect(await size()).toBe(before);
  connector.socket.send('{"type":"command_done"}');
  expect(await connector.closed).toBe("bad_message");
});

test("the owner's hub says so where the answer did not come", async () => {
  let isMute = true;
  await connect("owned", { command: (done) => void (isMute || done()) });
  const act = async () => env.USER_HUB.getByName(OWNER).act("owned", { action: "refresh" }, "ann");
  expect(await act()).toEqual({ refused: "unanswered" });
  isMute = false;
  expect(await act()).toMatchObject({ done: { clientId: "owned" } });
});
