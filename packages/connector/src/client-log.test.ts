/** The recent log: for its embedder, and for the hub that asks. */
import { afterEach, expect, test, vi } from "vitest";
import { createPlainAdapter } from "./adapter.ts";
import type { FakeHub } from "./testing/fake-hub.ts";
import { type RunningClient, startClient, TOKEN } from "./testing/running-client.ts";

let running: RunningClient;
afterEach(() => running.stop());

const logs = (hub: FakeHub) => hub.received.filter((message) => message.type === "log");
const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function connected(...options: Parameters<typeof startClient>) {
  running = await startClient(...options);
  await vi.waitFor(() => expect(running.events).toContain("connected"));
  return running;
}

test("the hub is answered with what the embedder sees, under its id", async () => {
  let notice: (message: string) => void = () => undefined;
  const adapter = {
    ...createPlainAdapter(),
    onNotice: (listener: typeof notice) => {
      notice = listener;
      return () => undefined;
    },
  };
  const { hub, client, registers, log } = await connected({ adapter });
  expect(registers()[0]?.capabilities).toEqual(["log", "commands"]);
  const said: string[] = [];
  client.on("log", ({ kind, text }) => said.push(`${kind} ${text}`));
  notice("cannot sign in");
  hub.send({ type: "log_request", id: 4_294_967_295 });
  await vi.waitFor(() => expect(logs(hub)).toHaveLength(1));
  expect(logs(hub)[0]).toEqual({ type: "log", id: 4_294_967_295, lines: client.log });
  expect(log()).toEqual([
    "Connecting to http://127.0.0.1:1 as c",
    "Connected: http://here.hub.localhost:1",
    "Note: cannot sign in",
  ]);
  expect(said).toEqual(["note Note: cannot sign in"]);
  expect(client.log.map(({ level }) => level)).toEqual(["info", "info", "warning"]);
  for (const { at } of client.log) expect(Math.abs(Date.now() - at)).toBeLessThan(60_000);
});

test("events hold as little that is secret as the log, whatever the hub or the adapter says", async () => {
  let notice: (message: string) => void = () => undefined;
  const adapter = {
    ...createPlainAdapter(),
    onNotice: (listener: typeof notice) => {
      notice = listener;
      return () => undefined;
    },
  };
  const says = `not ${TOKEN}, https://a:secret@c.example/?q=secret`;
  const { client, hub } = await connected({ adapter });
  const messages: string[] = [];
  client.on("warning", ({ message }) => messages.push(message));
  client.on("disconnected", ({ message }) => messages.push(message));
  notice(says);
  hub.refusal = { status: 503, code: "internal", message: says };
  hub.socket?.close(4999, says);
  await vi.waitFor(() => expect(messages.length).toBeGreaterThan(2), 10_000);
  for (const message of messages) expect(message).toBe("not …, https://c.example/");
});

test("nobody is answered before the registration is done", async () => {
  running = await startClient({}, (hub) => (hub.answers.registrations = false));
  const { hub, registers, events } = running;
  await vi.waitFor(() => expect(registers()).toHaveLength(1));
  hub.send({ type: "log_request", id: 1 });
  await wait(100);
  expect(logs(hub)).toEqual([]);
  hub.register();
  hub.send({ type: "log_request", id: 2 });
  await vi.waitFor(() => expect(logs(hub)).toMatchObject([{ id: 2 }]));
  expect(events).toEqual(["connecting", "connected"]);
});

test("a hub that asks a thousand times is answered five times a second", async () => {
  const { hub } = await connected();
  const from = performance.now();
  for (let id = 0; id < 1000; id++) hub.send({ type: "log_request", id });
  await vi.waitFor(() => expect(logs(hub).length).toBeGreaterThanOrEqual(5));
  await wait(300);
  const seconds = Math.ceil((performance.now() - from) / 1000);
  expect(logs(hub).length).toBeLessThanOrEqual(5 * seconds);
  await wait(1_000);
  hub.send({ type: "log_request", id: 1000 });
  await vi.waitFor(() => expect(logs(hub).at(-1)).toMatchObject({ id: 1000 }));
});

test("what a hub says is cut and cleaned, and the token never stands in it", async () => {
  running = await startClient(
    { reconnectIntervalMs: 10 },
    (hub) =>
      (hub.refusal = {
        status: 503,
        code: "x",
        message: `no \u001B[31m${TOKEN}\n at http://x.example/?q=secret ${"y".repeat(400)}`,
      }),
  );
  const { hub, client, log } = running;
  await vi.waitFor(() => expect(hub.dials).toBeGreaterThan(3));
  // Attempts that fail the same way are one line.
  expect(log()).toHaveLength(2);
  expect(log()[1]).toMatch(/^No connection: no {2}\[31m…  at http:\/\/x\.example\/ y+(?:\. Tr?)?/);
  expect(log()[1]?.length).toBeLessThanOrEqual(300);
  expect(JSON.stringify(client.log)).not.toContain(TOKEN);
});
