/** The library against everything that can be wrong with a hub or the way there: what it says, how often it dials, what it leaves open. */
import dns from "node:dns";
import { createServer } from "node:tls";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { OrchestratorClientOptions } from "./client-contract.ts";
import { OrchestratorClient } from "./client.ts";
import { answer, type Fault, message, REGISTERED, startFaultyHub } from "./testing/faulty-hub.ts";
import { CERTIFICATE, KEY } from "./testing/self-signed.ts";
import { TOKEN } from "./testing/running-client.ts";

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  vi.restoreAllMocks();
  for (const end of ends.splice(0).toReversed()) await end();
});

const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

function start(url: string, more: Partial<OrchestratorClientOptions> = {}) {
  const client = new OrchestratorClient({
    url,
    token: TOKEN,
    clientId: "c",
    target: "http://127.0.0.1:9",
    metadata: { hostname: "h", project: "p", platform: "linux" },
    reconnectIntervalMs: 20,
    ...more,
  });
  ends.push(() => client.stop());
  const seen = { dials: 0, ends: 0, stopped: false };
  client.on("connecting", () => seen.dials++);
  client.on("disconnected", () => seen.ends++);
  client.on("stopped", () => (seen.stopped = true));
  client.start();
  /** What it said after the first line, without what comes behind the first sentence. */
  const said = () => client.log.slice(1).map(({ text }) => text.replaceAll(/:\d{4,}/g, ":1").split(". ")[0]);
  return { client, seen, said };
}

async function against(fault: Fault, more: Partial<OrchestratorClientOptions> = {}) {
  const hub = await startFaultyHub(fault);
  ends.push(() => hub.stop());
  return { hub, ...start(hub.url, more) };
}

const noHub = (words: string) => [`No connection: ${words}`];
/** It registers whoever comes, and then does this. */
const registers =
  (then: Fault): Fault =>
  (socket, accept) => {
    accept();
    socket.write(message(1, REGISTERED));
    then(socket, accept);
  };
/** A close with this code, which is awaited. */
const close =
  (code: number): Fault =>
  (socket) => {
    socket.write(Buffer.from([0x88, 2, code >> 8, code & 255]));
  };
const flapping = (words: string) => [
  "Connected: http://here.hub.localhost:1",
  `Connection lost: ${words}`,
  "Connected again: http://here.hub.localhost:1",
  `The connection does not last: ${words}`,
];

const CONDITIONS: [name: string, fault: Fault, said: string[]][] = [
  ["a page", answer(200), noHub("what answers there is no hub (200)")],
  ["nothing but a status", answer(204, "", ""), noHub("what answers there is no hub (204)")],
  ["a 500 with a page", answer(500), noHub("the hub answered 500")],
  ["a 502 of a proxy", answer(502), noHub("the hub answered 502")],
  ["a 403 with a page", answer(403), noHub("the hub answered 403")],
  ["a 401 that is not a hub's", answer(401, "www-authenticate: Basic\r\n"), noHub("the hub answered 401")],
  ["a 429 without a wish", answer(429), noHub("the hub answered 429")],
  [
    "a redirect",
    answer(302, "location: https://login.example.com/start?next=x\r\n"),
    noHub("the hub's address leads on to https://login.example.com (302)"),
  ],
  [
    "a redirect to nowhere",
    answer(301, "location: /start\r\n"),
    noHub("the hub's address leads on to another page (301)"),
  ],
  [
    "what is no HTTP",
    (socket) => socket.end("220 mail.example.com ESMTP\r\n"),
    noHub("what answers there does not speak http"),
  ],
  ["hanging up", (socket) => socket.end(), noHub("the connection broke")],
  ["a reset", (socket) => socket.resetAndDestroy(), noHub("the connection broke")],
  [
    "an upgrade to something else",
    (socket) => socket.write("HTTP/1.1 101 X\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n"),
    noHub("Invalid Upgrade header"),
  ],
  [
    "a frame before registration",
    (socket, accept) => {
      accept();
      socket.write(message(2, "x"));
    },
    noHub("a frame before registration"),
  ],
  [
    "a broken frame",
    (socket, accept) => {
      accept();
      socket.write(Buffer.from([0xff, 0xff, 1, 2, 3]));
    },
    noHub("Invalid WebSocket frame: RSV2 and RSV3 must be clear"),
  ],
  ["closing right after registration", registers(close(1011)), flapping("closed with 1011")],
  [
    "garbage after registration",
    registers((socket) => socket.write(message(2, "garbage"))),
    flapping("message ends inside a frame header"),
  ],
  [
    "a reset after registration",
    registers((socket) => socket.resetAndDestroy()),
    flapping("the connection broke"),
  ],
];

test.each(CONDITIONS)(
  "%s: tried again and again, said once, nothing left open",
  async (_name, fault, expected) => {
    const { hub, client, seen, said } = await against(fault);
    await vi.waitFor(() => expect(seen.ends).toBeGreaterThan(12), { timeout: 10_000 });
    expect(said()).toEqual(expected);
    expect(seen.stopped).toBe(false);
    await client.stop();
    await vi.waitFor(() => expect(hub.open).toBe(0));
    expect(JSON.stringify(client.log)).not.toContain(TOKEN);
  },
);

test("a redirect is not followed: the token would go along", async () => {
  const other = await startFaultyHub(answer(200));
  ends.push(() => other.stop());
  const { seen } = await against(answer(307, `location: ${other.url}/ws/connect\r\n`));
  await vi.waitFor(() => expect(seen.ends).toBeGreaterThan(3));
  expect(other.dials).toBe(0);
});

test("a hub that closes right after registration is backed off from as one that cannot be reached", async () => {
  vi.spyOn(Math, "random").mockReturnValue(0.999_999);
  const { seen } = await against(registers(close(1011)), { reconnectIntervalMs: 30_000 });
  // Half a second, one, two: the fourth attempt is four seconds away.
  await wait(4_500);
  expect([seen.dials, seen.ends]).toEqual([4, 4]);
});

test("conditions that take turns are a line each", async () => {
  const turns = [answer(503), answer(200), (socket) => socket.end()] as Fault[];
  let dials = 0;
  const { seen, said } = await against((...given) => turns[dials++ % turns.length]?.(...given));
  await vi.waitFor(() => expect(seen.ends).toBeGreaterThan(30), { timeout: 10_000 });
  expect(said()).toEqual([
    ...noHub("the hub answered 503"),
    ...noHub("what answers there is no hub (200)"),
    ...noHub("the connection broke"),
  ]);
});

test("a hub that is slow is given ten seconds at each step, and no more", { timeout: 40_000 }, async () => {
  const trickle: Fault = (socket) => {
    socket.write("HTTP/1.1 101 X\r\n");
    const timer = setInterval(() => socket.write("x: y\r\n"), 300);
    socket.on("close", () => clearInterval(timer));
  };
  const slow = await Promise.all([
    against(() => undefined),
    against(trickle),
    against((_socket, accept) => accept()),
    against(
      registers(() => undefined),
      { heartbeatIntervalMs: 1_000 },
    ),
  ]);
  await wait(9_000);
  expect(slow.map(({ hub }) => hub.dials)).toEqual([1, 1, 1, 1]);
  await wait(3_500);
  const [silent, trickling, unregistered, unproved] = slow.map(({ said }) => said());
  expect(silent).toEqual(noHub("it did not answer in 10 s"));
  expect(trickling).toEqual(noHub("it did not answer in 10 s"));
  expect(unregistered).toEqual(noHub("the hub did not answer the registration"));
  expect(unproved).toEqual(flapping("the hub did not answer a heartbeat").slice(0, 3));
  await Promise.all(slow.map(({ client }) => client.stop()));
  await vi.waitFor(() => expect(slow.map(({ hub }) => hub.open)).toEqual([0, 0, 0, 0]));
});

describe("a name", () => {
  test("that is not found is said once", async () => {
    vi.spyOn(dns, "lookup").mockImplementation(((
      _name: string,
      _options: object,
      done: (error: Error) => void,
    ) => setImmediate(done, Object.assign(new Error("getaddrinfo"), { code: "EAI_AGAIN" }))) as never);
    const { seen, said } = start("https://hub.example.com");
    await vi.waitFor(() => expect(seen.ends).toBeGreaterThan(10), { timeout: 5_000 });
    expect(said()).toEqual(noHub("its name could not be looked up"));
  });

  test(
    "whose lookups hang takes two of this process's threads, and no more",
    { timeout: 40_000 },
    async () => {
      const hanging: ((error: Error) => void)[] = [];
      const lookup = vi
        .spyOn(dns, "lookup")
        .mockImplementation(((_name: string, _options: object, done: () => void) =>
          hanging.push(done)) as never);
      const clients = Array.from({ length: 4 }, () => start("https://hub.example.com"));
      await vi.waitFor(() => expect(clients.filter(({ seen }) => seen.ends > 5)).toHaveLength(2), {
        timeout: 5_000,
      });
      await wait(10_500);
      expect(lookup).toHaveBeenCalledTimes(2);
      for (const { said } of clients)
        expect(said().every((line) => /looked up|in 10 s/.test(line ?? ""))).toBe(true);
      for (const done of hanging.splice(0))
        done(Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }));
      await vi.waitFor(() => expect(lookup.mock.calls.length).toBeGreaterThan(2), { timeout: 5_000 });
      for (const done of hanging.splice(0))
        done(Object.assign(new Error("getaddrinfo"), { code: "ENOTFOUND" }));
    },
  );
});

test("a certificate that nobody vouches for is said once, and the token is not sent", async () => {
  let bytes = 0;
  const server = createServer({ key: KEY, cert: CERTIFICATE }, (socket) => socket.on("data", () => bytes++));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  ends.push(() => new Promise((resolve) => server.close(resolve)));
  const { client, seen, said } = start(`https://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await vi.waitFor(() => expect(seen.ends).toBeGreaterThan(10), { timeout: 10_000 });
  expect(said()).toEqual(
    noHub("its certificate is not trusted; NODE_EXTRA_CA_CERTS names those of your own"),
  );
  expect(bytes).toBe(0);
  await client.stop();
});
