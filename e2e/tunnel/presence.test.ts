/** Why an instance is not there, told apart on the real hub by connectors in processes of their own. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { startHub, type TestHub } from "../hub.ts";
import type { ConnectorEvent } from "./connector-process.ts";
import { startRelay } from "./relay.ts";
import { startUpstream, type Upstream } from "./upstream.ts";
import { Viewer } from "./viewer.ts";

/** Instead of 90 s, which no test waits; connectors here prove that they live every second. */
const PROOF_MAX_AGE_SECONDS = 5;
/** A hub asks after its instances every 15 s while somebody looks. */
const NOTICED = { timeout: 30_000, interval: 500 };
/** A process that has not run for this long says so. */
const FROZEN_MS = 12_000;

let hub: TestHub;
let upstream: Upstream;
let viewer: Viewer;
const children: ChildProcess[] = [];

beforeAll(async () => {
  hub = await startHub({ settings: { PROOF_MAX_AGE_SECONDS: String(PROOF_MAX_AGE_SECONDS) } });
  upstream = await startUpstream();
  viewer = new Viewer();
  await viewer.navigate(await hub.signInLink());
});
afterEach(async () => {
  for (const child of children.splice(0)) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.kill("SIGKILL");
    await once(child, "exit");
  }
});
afterAll(async () => {
  await upstream.stop();
  await hub.stop();
});

interface Connector {
  child: ChildProcess;
  events: ConnectorEvent[];
  /** Resolves with the event of this kind that is the `count`th, default the first. */
  heard: (event: ConnectorEvent["event"], count?: number) => Promise<ConnectorEvent>;
}

async function startConnector(clientId: string, token: string, url = hub.origin): Promise<Connector> {
  const options = {
    url,
    token,
    clientId,
    target: upstream.target,
    metadata: { hostname: "test-host", project: `/home/dev/${clientId}`, platform: "linux" },
    heartbeatIntervalMs: 1000,
    reconnectIntervalMs: 1000,
  };
  const child = fork(path.resolve(import.meta.dirname, "connector-process.ts"), [JSON.stringify(options)], {
    execArgv: ["--conditions=source"],
  });
  children.push(child);
  const events: ConnectorEvent[] = [];
  child.on("message", (event: ConnectorEvent) => events.push(event));
  const heard: Connector["heard"] = async (event, count = 1) => {
    const those = () => events.filter((one) => one.event === event);
    await expect.poll(() => those().length, { timeout: 20_000 }).toBeGreaterThanOrEqual(count);
    const found = those()[count - 1];
    if (found === undefined) throw new Error(`no ${event}`);
    return found;
  };
  return { child, events, heard };
}

/** Connects an instance and waits until the registry knows it. */
async function connected(clientId: string, token?: string, url?: string): Promise<Connector> {
  const connector = await startConnector(clientId, token ?? (await hub.createToken(clientId)), url);
  await connector.heard("connected");
  await expect.poll(() => page(clientId)).not.toContain("Unreachable");
  return connector;
}

/** What an instance's page says, as text. */
async function page(clientId: string): Promise<string> {
  const answer = await viewer.navigate(`${hub.origin}/clients/${clientId}`);
  expect(answer.status).toBe(200);
  return answer.body
    .toString()
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ");
}

/** The same, for somebody who looks at the dashboard meanwhile. */
async function lookedAt(clientId: string): Promise<string> {
  await viewer.navigate(`${hub.origin}/dashboard`);
  return page(clientId);
}

async function post(action: string): Promise<number> {
  return (await viewer.fetch(hub.origin + action, { method: "POST" })).status;
}

/** What is said of each end, and of no other. */
const REASONS = {
  stopped: /connector was stopped/,
  lost: /broke off/,
  silent: /no sign of life/,
  revoked: /token was revoked/,
  away: /by its owner/,
};

/** Which of them stand on the page as why it is unreachable now. */
function reasonsOn(text: string): string[] {
  const [, now = ""] = /Unreachable(.*?)First seen/.exec(text) ?? [];
  return Object.entries(REASONS).flatMap(([reason, words]) => (words.test(now) ? [reason] : []));
}

const reasonOf = async (clientId: string) => reasonsOn(await page(clientId));

it("a clean exit", async () => {
  const { child } = await connected("clean");
  const exit = once(child, "exit");
  child.kill("SIGTERM");
  expect(await exit).toEqual([0, null]);
  await expect.poll(() => reasonOf("clean")).toEqual(["stopped"]);
});

it("kill -9", async () => {
  const { child } = await connected("killed");
  child.kill("SIGKILL");
  await expect.poll(() => reasonOf("killed")).toEqual(["lost"]);
});

it("tells the mark in its pages, which stays while the instance is away", async () => {
  const token = await hub.createToken("marked");
  const { child, heard } = await connected("marked", token);
  const first = await heard("connected");
  const origin = first.event === "connected" ? first.url : "";
  expect((await viewer.navigate(`${origin}/status/200`)).status).toBe(200);
  const mark = viewer.webSocket(`${origin}/.orchestrator/presence`);
  const said: string[] = [];
  mark.on("message", (data: Buffer) => said.push(data.toString()));
  await expect.poll(() => said).toEqual(["connected"]);
  child.kill("SIGKILL");
  await expect.poll(() => said).toEqual(["connected", "away"]);
  await startConnector("marked", token);
  await expect.poll(() => said, { timeout: 20_000 }).toEqual(["connected", "away", "connected"]);
  // The heartbeat of pages is the tunnel's.
  mark.send("orchestrator.v2.ping");
  await expect.poll(() => said.at(-1)).toBe("orchestrator.v2.pong");
  const closed = once(mark, "close") as Promise<[number]>;
  expect(await post("/auth/logout")).toBeLessThan(400);
  expect((await closed)[0]).toBe(1008);
  await viewer.navigate(await hub.signInLink());
});

it("a revoked token: it is told, stays away, and cannot come back", async () => {
  const token = await hub.createToken("to-revoke");
  const connector = await connected("revoked", token);
  const tokens = await viewer.fetch(`${hub.origin}/api/tokens`);
  const list = JSON.parse(tokens.body.toString()) as { tokens: { id: string; name: string }[] };
  const id = list.tokens.find(({ name }) => name === "to-revoke")?.id;
  expect(await post(`/tokens/${id}/revoke`)).toBeLessThan(400);
  expect(await connector.heard("stopped")).toEqual({ event: "stopped", code: "token_revoked" });
  await expect.poll(() => reasonOf("revoked")).toEqual(["revoked"]);
  const again = await startConnector("revoked", token);
  expect(await again.heard("stopped")).toEqual({ event: "stopped", code: "unauthorized" });
});

it("disconnected by its owner: whoever dials for it is sent away, until it is let back", async () => {
  const token = await hub.createToken("away");
  const connector = await connected("away", token);
  expect(await post("/clients/away/disconnect")).toBeLessThan(400);
  await connector.heard("sentAway");
  expect(await reasonOf("away")).toEqual(["away"]);
  connector.child.kill("SIGKILL");
  const refused = await startConnector("away", token);
  await refused.heard("sentAway");
  expect(refused.events.map(({ event }) => event)).toEqual(["sentAway"]);
  expect(await reasonOf("away")).toEqual(["away"]);
  refused.child.kill("SIGKILL");
  await hub.kill();
  await hub.restart();
  const afterRestart = await startConnector("away", await hub.createToken("another"));
  await afterRestart.heard("sentAway");
  expect(afterRestart.events.map(({ event }) => event)).toEqual(["sentAway"]);
  expect(await reasonOf("away")).toEqual(["away"]);
  afterRestart.child.kill("SIGKILL");
  expect(await post("/clients/away/let-back")).toBeLessThan(400);
  await connected("away", token);
});

it(
  "frozen: no sign of life while it lasts; when it runs again it says what it was",
  { timeout: 90_000 },
  async () => {
    const { child, heard } = await connected("frozen");
    child.kill("SIGSTOP");
    const frozen = performance.now();
    await expect.poll(async () => reasonsOn(await lookedAt("frozen")), NOTICED).toEqual(["silent"]);
    expect(performance.now() - frozen).toBeGreaterThan((PROOF_MAX_AGE_SECONDS - 1.5) * 1000);
    await new Promise((resolve) => setTimeout(resolve, FROZEN_MS - (performance.now() - frozen)));
    child.kill("SIGCONT");
    expect(await heard("connected", 2)).toMatchObject({ absence: "frozen" });
    await expect.poll(() => page("frozen")).toMatch(/Away before .*frozen/);
  },
);

it(
  "a cable that is cut: no sign of life, and back by itself once it is mended",
  { timeout: 90_000 },
  async () => {
    const relay = await startRelay(hub);
    try {
      const { heard } = await connected("cut", undefined, relay.origin);
      relay.cut();
      await expect.poll(async () => reasonsOn(await lookedAt("cut")), NOTICED).toEqual(["silent"]);
      relay.mend();
      await heard("connected", 2);
      await expect.poll(() => page("cut")).not.toContain("Unreachable");
    } finally {
      await relay.stop();
    }
  },
);
