/** Limits on the built hub: exact ones that outlive a crash, rough ones at the edge, and what must not be limited. */
import { once } from "node:events";
import * as http from "node:http";
import { OrchestratorClient } from "@ai-orchestrator/connector";
import { SUBPROTOCOL } from "@ai-orchestrator/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startHub, type TestHub } from "./hub.ts";
import { Viewer } from "./tunnel/viewer.ts";

let hub: TestHub;
let token: string;

beforeAll(async () => {
  hub = await startHub();
  token = await hub.createToken();
});
afterAll(() => hub.stop());

interface Answer {
  status: number;
  retryAfter: number;
  body: string;
}

/** One dial from an address, as the edge would tell it; without one from this machine. Ends what it is let into. */
async function dial(withToken: string, clientId: string, address?: string): Promise<Answer> {
  const { host, port } = new URL(hub.origin);
  const request = http.get({
    host: "127.0.0.1",
    port,
    path: `/ws/connect?client_id=${clientId}`,
    agent: false,
    headers: {
      host,
      connection: "upgrade",
      upgrade: "websocket",
      "sec-websocket-version": "13",
      "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      "sec-websocket-protocol": SUBPROTOCOL,
      authorization: `Bearer ${withToken}`,
      ...(address === undefined ? {} : { "cf-connecting-ip": address }),
    },
  });
  return new Promise((resolve, reject) => {
    request.on("error", reject);
    request.on("upgrade", ({ statusCode = 0 }, socket) => {
      socket.destroy();
      resolve({ status: statusCode, retryAfter: Number.NaN, body: "" });
    });
    request.on("response", (answer) => {
      let body = "";
      answer.on("data", (chunk: Buffer) => (body += chunk.toString()));
      answer.on("end", () => {
        resolve({ status: answer.statusCode ?? 0, retryAfter: Number(answer.headers["retry-after"]), body });
      });
    });
  });
}

/** A request that is no dial. */
function knock(address: string, agent: http.Agent): Promise<number> {
  const { host, port } = new URL(hub.origin);
  const headers = { host, "cf-connecting-ip": address };
  return new Promise((resolve, reject) => {
    const request = http.get({ host: "127.0.0.1", port, path: "/ws/connect", agent, headers }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode ?? 0));
    });
    request.on("error", reject);
  });
}

function tally(answers: Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

it("refuses bad tokens of one address after 20, across a crash, and never a good one beside them", async () => {
  const bad = `${token.slice(0, -1)}${token.endsWith("A") ? "B" : "A"}`;
  const answers = await Promise.all(Array.from({ length: 25 }, () => dial(bad, "bad", "198.51.100.1")));
  expect(tally(answers)).toEqual({ 401: 20, 429: 5 });
  for (const { status, retryAfter } of answers.filter((one) => one.status === 429)) {
    expect([status, retryAfter > 500 && retryAfter <= 600]).toEqual([429, true]);
  }
  expect((await dial(token, "good", "198.51.100.1")).status).toBe(101);
  expect((await dial(bad, "bad", "198.51.100.2")).status).toBe(401);

  await hub.kill();
  await hub.restart();
  const after = await dial(bad, "bad", "198.51.100.1");
  expect(after.status).toBe(429);
  expect(JSON.parse(after.body)).toEqual({
    error: { code: "rate_limited", message: "There were too many attempts from this address." },
  });
  expect((await dial(token, "good", "198.51.100.1")).status).toBe(101);
});

it("takes 20 dials of one instance in a minute; its connector then waits as long as it is told", async () => {
  const options = {
    url: hub.origin,
    token,
    clientId: "storm",
    target: "http://127.0.0.1:9",
    metadata: { hostname: "h", project: "p", platform: "linux" },
    reconnectIntervalMs: 50,
  };
  for (let count = 0; count < 20; count++) {
    const client = new OrchestratorClient(options);
    client.start();
    await once(client, "connected");
    await client.stop();
  }
  const limited = new OrchestratorClient(options);
  let dials = 0;
  limited.on("connecting", () => dials++);
  const refused = once(limited, "disconnected") as Promise<
    [{ code: string; message: string; retryMs: number }]
  >;
  limited.start();
  const [{ code, message, retryMs }] = await refused;
  expect([code, message]).toEqual(["rate_limited", "This instance dials too often."]);
  const direct = await dial(token, "storm");
  expect(direct.status).toBe(429);
  expect(retryMs).toBeGreaterThanOrEqual(direct.retryAfter * 1000);
  expect(retryMs).toBeLessThanOrEqual(61_000);
  // Left to itself it would dial every 50 ms.
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  expect(dials).toBe(1);
  await limited.stop();
  expect((await dial(token, "calm")).status).toBe(101);
});

it("meets a flood of one address at the edge", async () => {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 16 });
  const statuses: number[] = [];
  // It counts in windows of a minute, one of which may end in between.
  while (statuses.length < 1300 && !statuses.includes(429))
    statuses.push(...(await Promise.all(Array.from({ length: 50 }, () => knock("198.51.100.9", agent)))));
  agent.destroy();
  expect(new Set(statuses)).toEqual(new Set([426, 429]));
  expect(statuses.filter((status) => status === 426).length).toBeGreaterThanOrEqual(600);
  expect(await dial(token, "flood", "198.51.100.9")).toMatchObject({ status: 429, retryAfter: 60 });
  expect((await dial(token, "flood", "198.51.100.10")).status).toBe(101);
});

it("counts links that do not work, and none that do", async () => {
  const signIn = async () => (await new Viewer().fetch(await hub.signInLink())).status;
  const wrong = () => new Viewer().fetch(`${hub.origin}/auth/local?code=${"x".repeat(43)}`);
  for (let count = 0; count < 40; count++) expect(await signIn()).toBe(302);
  const answers = [];
  for (let count = 0; count < 25; count++) answers.push(await wrong());
  expect(answers.map(({ status }) => status)).toEqual([
    ...Array<number>(20).fill(401),
    ...Array<number>(5).fill(429),
  ]);
  expect(Number(answers.at(-1)?.headers["retry-after"])).toBeGreaterThan(500);
  expect(await signIn()).toBe(302);
});

it("writes no token into its log", () => {
  const log = JSON.stringify(hub.logs());
  expect(log).not.toContain(token.slice(4, 40));
});
