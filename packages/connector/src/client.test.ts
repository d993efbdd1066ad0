/** The library against what answers in a hub's place: refusals that never end, odd wishes, another user's server. */
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import type { OrchestratorClientEvents, OrchestratorClientOptions } from "./client-contract.ts";
import { OrchestratorClient } from "./client.ts";
import { startFakeHub } from "./testing/fake-hub.ts";
import { asOtherUser, canBeOtherUser } from "./testing/other-user.ts";

const servers: Server[] = [];
const clients: OrchestratorClient[] = [];
afterEach(async () => {
  await Promise.all(clients.splice(0).map((client) => client.stop()));
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    server.close();
  }
});

/** Answers each upgrade with `answer`; counts them. */
async function refuse(answer: (socket: Duplex) => void) {
  const seen = { url: "", dials: 0, times: [] as number[], closed: 0, authorizations: [] as unknown[] };
  const server = createServer().on("upgrade", (request, socket: Duplex) => {
    seen.dials++;
    seen.times.push(performance.now());
    seen.authorizations.push(request.headers.authorization);
    socket.on("error", () => socket.destroy());
    socket.on("close", () => seen.closed++);
    answer(socket);
  });
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  seen.url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  return seen;
}

const OPTIONS: OrchestratorClientOptions = {
  url: "http://127.0.0.1:1",
  token: "orch_canary",
  clientId: "c",
  target: "http://127.0.0.1:9",
  metadata: { hostname: "h", project: "p", platform: "linux" },
};

function start(url: string, more: Partial<OrchestratorClientOptions> = {}) {
  const client = new OrchestratorClient({ ...OPTIONS, url, ...more });
  clients.push(client);
  const lost: OrchestratorClientEvents["disconnected"][0][] = [];
  client.on("disconnected", (event) => lost.push(event));
  const stopped = new Promise((resolve) => client.once("stopped", ({ code }) => resolve(code)));
  client.start();
  return { client, lost, stopped };
}

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

test.each([
  "http://hub.example.com",
  "http://127.0.0.1.example.com",
  "http://192.168.1.2:8787",
  "ftp://localhost",
  "ws://localhost:8787",
  "https://user:password@hub.example.com",
  "hub.example.com",
  "",
])("a hub at %j is refused before anything is sent", (url) => {
  expect(() => new OrchestratorClient({ ...OPTIONS, url })).toThrow(RangeError);
  expect(() => new OrchestratorClient({ ...OPTIONS, url })).toThrow("must be https://");
});

test.each(["https://hub.example.com", "http://hub.localhost:8787", "http://[::1]:8787"])(
  "a hub at %s is one",
  (url) => expect(() => new OrchestratorClient({ ...OPTIONS, url })).not.toThrow(),
);

test.each(["99999999", "1e99", "-1", "Fri, 20 Nov 2099 12:00:00 GMT"])(
  "Retry-After: %s makes no hot loop",
  async (value) => {
    const hub = await refuse((socket) =>
      socket.end(`HTTP/1.1 503 X\r\nRetry-After: ${value}\r\ncontent-length: 0\r\n\r\n`),
    );
    const { lost } = start(hub.url);
    await vi.waitFor(() => expect(lost.length).toBeGreaterThan(0));
    await wait(100);
    expect(hub.dials).toBeLessThan(5);
    for (const { retryMs } of lost) expect(retryMs).toBeLessThanOrEqual(3_600_000);
  },
);

test("a refusal without end is cut off", async () => {
  const block = Buffer.alloc(1 << 20, "a");
  const hub = await refuse((socket) => {
    socket.write('HTTP/1.1 503 X\r\n\r\n{"error":{"message":"');
    const go = () => {
      while (socket.writable && socket.write(block));
    };
    socket.on("drain", go);
    go();
  });
  const before = process.memoryUsage().rss;
  const { lost } = start(hub.url);
  await vi.waitFor(() =>
    expect(lost[0]).toMatchObject({ code: "unreachable", message: "the hub answered 503" }),
  );
  await vi.waitFor(() => expect(hub.closed).toBe(hub.dials));
  expect(process.memoryUsage().rss - before).toBeLessThan(64 * 1024 * 1024);
});

test("a refusal that trickles counts by its status after five seconds", async () => {
  const hub = await refuse((socket) => {
    socket.write("HTTP/1.1 429 X\r\nRetry-After: 3600\r\n\r\n");
    const timer = setInterval(() => socket.write("x"), 200);
    socket.on("close", () => clearInterval(timer));
  });
  const { lost } = start(hub.url);
  const before = Date.now();
  await vi.waitFor(() => expect(lost[0]).toMatchObject({ code: "rate_limited" }), { timeout: 10_000 });
  expect(Date.now() - before).toBeGreaterThan(4_000);
  expect(Date.now() - before).toBeLessThan(8_000);
  await vi.waitFor(() => expect(hub.closed).toBe(1));
});

test("a refusal in a sentence is passed on", async () => {
  const body = JSON.stringify({ error: { message: "the token is unknown" } });
  const hub = await refuse((socket) =>
    socket.end(`HTTP/1.1 429 X\r\nretry-after: 2\r\ncontent-length: ${body.length}\r\n\r\n${body}`),
  );
  const { lost } = start(hub.url);
  await vi.waitFor(() =>
    expect(lost[0]).toMatchObject({ code: "rate_limited", message: "the token is unknown" }),
  );
  expect(lost[0]?.retryMs).toBeGreaterThanOrEqual(2_000);
});

const refusal = (status: number, fields: string, code: string, message: string) => (socket: Duplex) => {
  const body = JSON.stringify({ error: { code, message } });
  socket.end(`HTTP/1.1 ${status} X\r\n${fields}content-length: ${body.length}\r\n\r\n${body}`);
};

/** Milliseconds between one dial and the next. */
const pauses = (times: number[]) => times.slice(1).map((at, index) => at - (times[index] ?? 0));

test.each([
  [429, "rate_limited"],
  [403, "not_admitted"],
  [503, "unreachable"],
])("a %i is obeyed: no dial before its Retry-After has passed, but one after it", async (status, code) => {
  const hub = await refuse(refusal(status, "Retry-After: 1\r\n", code, "Too often."));
  // Without the hub's wish there would be a hundred dials a second.
  const { lost } = start(hub.url, { reconnectIntervalMs: 10 });
  await vi.waitFor(() => expect(hub.dials).toBe(3), { timeout: 10_000 });
  for (const pause of pauses(hub.times)) expect(pause).toBeGreaterThanOrEqual(990);
  for (const end of lost) expect(end).toMatchObject({ code, message: "Too often." });
});

test("many who were told the same moment do not come all at it", async () => {
  const hub = await refuse(refusal(429, "Retry-After: 1\r\n", "rate_limited", "Too often."));
  const waits: number[] = [];
  for (let count = 0; count < 20; count++) {
    const { client } = start(hub.url, { clientId: `c${count}` });
    client.once("disconnected", ({ retryMs }) => waits.push(retryMs));
  }
  await vi.waitFor(() => expect(waits).toHaveLength(20));
  for (const retryMs of waits) expect(retryMs).toBeGreaterThanOrEqual(1_000);
  expect(new Set(waits).size).toBeGreaterThan(10);
});

test("an expired token is not dialled with again", async () => {
  const hub = await refuse(refusal(401, "Retry-After: 0\r\n", "unauthorized", "The token has expired."));
  const { client, lost, stopped } = start(hub.url, { reconnectIntervalMs: 10 });
  const said = new Promise((resolve) => client.once("stopped", resolve));
  expect(await stopped).toBe("unauthorized");
  expect(await said).toEqual({ code: "unauthorized", message: "The token has expired." });
  await wait(300);
  expect([hub.dials, lost]).toEqual([1, []]);
});

test.runIf(canBeOtherUser)(
  "the token does not go to another user who listens in the hub's place",
  async () => {
    const thief = await asOtherUser(() => refuse((socket) => socket.end("HTTP/1.1 401 X\r\n\r\n")));
    const { lost } = start(thief.url);
    await vi.waitFor(() => expect(lost.length).toBeGreaterThan(0));
    const { port } = new URL(thief.url);
    expect(lost[0]).toMatchObject({
      code: "unreachable",
      message: expect.stringContaining(`port ${port} belongs to another user of this machine`) as string,
    });
    expect(thief.authorizations).toEqual([]);
  },
);

test.runIf(canBeOtherUser)("it does where that is asked for", async () => {
  const hub = await asOtherUser(() => startFakeHub());
  const { client } = start(hub.url, { allowOtherUser: { hub: true } });
  await new Promise((resolve) => client.once("connected", resolve));
  expect(hub.authorizations).toEqual(["Bearer orch_canary"]);
  await client.stop();
  await hub.stop();
});

test("a hub that takes an instance and drops it at once is not dialled in a hot loop", async () => {
  const hub = await startFakeHub();
  const client = new OrchestratorClient({
    url: hub.url,
    token: "t",
    clientId: "dropped",
    target: "http://127.0.0.1:1",
    metadata: { hostname: "h", project: "p", platform: "linux" },
    reconnectIntervalMs: 50,
  });
  const attempts: number[] = [];
  client.on("connecting", ({ attempt }) => attempts.push(attempt));
  client.on("connected", () => hub.socket?.close());
  client.start();
  await vi.waitFor(() => expect(attempts.length).toBeGreaterThan(3), { timeout: 5000 });
  await client.stop();
  await hub.stop();
  expect(attempts.slice(0, 4)).toEqual([1, 2, 3, 4]);
});
