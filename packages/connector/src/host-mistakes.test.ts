/** What a program that embeds the connector does wrong ends neither the program nor the connection. */
import { mkdtemp, rm } from "node:fs/promises";
import http from "node:http";
import { tmpdir } from "node:os";
import path from "node:path";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { type Adapter, createPlainAdapter } from "./adapter.ts";
import { OrchestratorClient } from "./client.ts";
import { initializeOrchestrator } from "./initialize.ts";
import type { InitializeOptions } from "./initialize-options.ts";
import { type RunningClient, startClient } from "./testing/running-client.ts";

const mistake = () => {
  throw new Error("a host's mistake");
};
const uncaught = vi.fn<(error: unknown) => void>();
let running: RunningClient | undefined;

beforeEach(() => {
  process.on("unhandledRejection", uncaught);
  process.on("uncaughtException", uncaught);
});
afterEach(async () => {
  await running?.stop();
  running = undefined;
  // A rejection that nobody handles is told a turn later.
  await new Promise((resolve) => setImmediate(resolve));
  process.off("unhandledRejection", uncaught);
  process.off("uncaughtException", uncaught);
  expect(uncaught).not.toHaveBeenCalled();
});

async function connect(adapter: Partial<Adapter> = {}): Promise<RunningClient> {
  running = await startClient({ adapter: { ...createPlainAdapter(), ...adapter } });
  const { events } = running;
  await vi.waitFor(() => expect(events).toContain("connected"), 5_000);
  return running;
}

it.each([
  ["throws", mistake],
  ["gives no promise", () => undefined],
])("connects where an adapter's start %s", async (_, start) => {
  await connect({ start: start as never });
});

it("stops, and says so, where an adapter does not", async () => {
  const { client, log } = await connect({ stop: () => Promise.reject(new Error("a host's mistake")) });
  const ended = vi.fn<() => void>();
  client.once("ended", ended);
  await client.stop();
  expect(ended).toHaveBeenCalledOnce();
  expect(log().at(-1)).toContain("a host's mistake");
});

it("keeps its connection where an adapter cannot look again", async () => {
  const { hub, events } = await connect({ refresh: mistake });
  hub.send({ type: "command", command: "refresh_status", id: 1 });
  await vi.waitFor(() => expect(events).toContain("warning"), 5_000);
  expect(events).not.toContain("disconnected");
  expect(hub.received).not.toContainEqual({ type: "command_done", id: 1 });
});

it("reports the sessions that are some, and says once that there are none to read", async () => {
  const good = { id: "a", project: "/p", state: "working", since: 1 };
  let sessions = () => [{ ...good, state: "dancing" }, { ...good, since: Number.NaN }, good];
  let changed: () => void = () => undefined;
  const { registers, events, client } = await connect({
    sessions: () => sessions() as never,
    onChange: (listener) => {
      changed = listener;
      return () => undefined;
    },
  });
  expect(registers()[0]).toMatchObject({ status: "busy", sessions: [good] });
  for (sessions of [mistake, () => [null] as never, mistake]) {
    changed();
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(events.filter((event) => event === "warning")).toHaveLength(1);
  sessions = () => [];
  const idle = new Promise((resolve) => client.once("status", resolve));
  changed();
  expect(await idle).toMatchObject({ status: "idle" });
});

it("tries again where something throws that has taken the place of node:http", async () => {
  const request = vi.spyOn(http, "request").mockImplementationOnce(mistake);
  const { log } = await connect();
  expect(request).toHaveBeenCalled();
  expect(log()[1]).toContain("No connection: a host's mistake. Trying again");
  request.mockRestore();
});

it("tries again where what it is to say of itself cannot be put together", async () => {
  running = await startClient({ metadata: {} as never });
  const { events, hub } = running;
  await vi.waitFor(() => expect(events).toContain("disconnected"), 5_000);
  expect(hub.received).toEqual([]);
});

it("takes care of a listener and of a log whose promises are none of this realm and reject", async () => {
  const home = await mkdtemp(path.join(tmpdir(), "mistakes-"));
  const warnings = vi.spyOn(process, "emitWarning").mockImplementation(() => undefined);
  const log = runInNewContext("async () => { throw new Error('from elsewhere'); }") as () => void;
  const options: InitializeOptions = { port: 1, argv: [], env: { HOME: home }, log };
  expect(await initializeOrchestrator({ ...options, url: "nonsense" })).toBeNull();
  const client = new OrchestratorClient({
    url: "http://127.0.0.1:9",
    token: "t",
    clientId: "c",
    target: "http://127.0.0.1:9",
    metadata: { hostname: "h", project: "p", platform: "linux" },
  });
  client.on("ended", log);
  await client.stop();
  await vi.waitFor(() => expect(warnings).toHaveBeenCalledTimes(2));
  warnings.mockRestore();
  await rm(home, { recursive: true, force: true });
});

it("repeats no address in an error: it may hold a password", () => {
  const options = {
    url: "https://hub.example.com",
    token: "t",
    clientId: "c",
    target: "http://127.0.0.1:9",
    metadata: { hostname: "h", project: "p", platform: "linux" },
  };
  for (const change of [
    { url: "https://a:secret@hub.example.com" },
    { target: "http://a:secret@127.0.0.1:9" },
    { target: "http://:secret@127.0.0.1:9" },
  ])
    expect(() => new OrchestratorClient({ ...options, ...change })).toThrow(/^(?!.*secret).*must be http/);
});
