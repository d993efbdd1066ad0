/** What happens when something breaks: the instance, the connector, the hub, the reader. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type * as http from "node:http";
import path from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { startHub, type TestHub } from "../hub.ts";
import { connect, startScene } from "./setup.ts";
import { startUpstream } from "./upstream.ts";
import { Viewer } from "./viewer.ts";

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

async function scene(...options: Parameters<typeof startScene>) {
  const started = await startScene(...options);
  cleanUps.push(() => started.stop());
  return started;
}

/** A connector in a process of its own, so that it can be killed. */
async function spawnConnector(
  hub: TestHub,
  token: string,
  target: string,
): Promise<{ child: ChildProcess; url: string }> {
  const cli = path.resolve(import.meta.dirname, "../../packages/connector/dist/cli.js");
  const child = spawn(
    process.execPath,
    [cli, "connect", "--url", hub.origin, "--target", target, "--client-id", "killable"],
    { env: { ...process.env, ORCHESTRATOR_TOKEN: token }, stdio: ["ignore", "pipe", "inherit"] },
  );
  cleanUps.push(() => void child.kill("SIGKILL"));
  let output = "";
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    output += chunk.toString();
    const url = /http:\/\/[\w-]+\.hub\.localhost:\d+/.exec(output)?.[0];
    if (url !== undefined) {
      child.stdout.resume();
      return { child, url };
    }
  }
  throw new Error(`the connector ended: ${output}`);
}

describe("the connector", () => {
  it("killed mid-transfer: the browser has its error at once, and the instance is back within 2 s of its return", async () => {
    const hub = await startHub();
    cleanUps.push(() => hub.stop());
    const upstream = await startUpstream();
    cleanUps.push(() => upstream.stop());
    const token = await hub.createToken();
    const first = await spawnConnector(hub, token, upstream.target);
    const viewer = new Viewer();
    await viewer.navigate(await hub.signInLink());
    await viewer.navigate(`${first.url}/status/200`);

    const download = await viewer.open(`${first.url}/endless`);
    const waiting = viewer.fetch(`${first.url}/hang`);
    const upload = viewer.begin(`${first.url}/slowread`, { method: "POST" });
    upload.on("error", () => undefined);
    const uploaded = once(upload, "response") as Promise<[http.IncomingMessage]>;
    const read = once(upstream.events, "waiting");
    upload.write("part");
    await read;
    const socket = viewer.webSocket(`${first.url}/ws`);
    await once(socket, "open");
    await once(download, "data");

    const killed = performance.now();
    first.child.kill("SIGKILL");
    const closed = once(socket, "close") as Promise<[number]>;
    await expect(drain(download)).rejects.toThrow();
    expect((await waiting).status).toBe(502);
    expect((await uploaded)[0].statusCode).toBe(502);
    expect(performance.now() - killed).toBeLessThan(1000);
    // workerd sends the close frame at once but keeps the TCP connection; browsers wait 2 s for its end, then report.
    expect((await closed)[0]).toBe(1012);
    expect(performance.now() - killed).toBeLessThan(3000);
    expect((await viewer.fetch(`${first.url}/status/200`)).status).toBe(503);

    const returned = performance.now();
    await spawnConnector(hub, token, upstream.target);
    expect((await viewer.fetch(`${first.url}/status/200`)).status).toBe(200);
    expect(performance.now() - returned).toBeLessThan(2000);
  });

  it("in two copies with one id: the newest wins and the older stays away", async () => {
    const { hub, client, upstream } = await scene();
    const stopped = once(client, "stopped");
    const second = await connect(hub, { target: upstream.target });
    cleanUps.push(() => second.client.stop());
    expect(await stopped).toMatchObject([{ code: "replaced" }]);
  });

  it("with a token the hub does not know, says so and stops", async () => {
    const { hub, upstream } = await scene();
    const { OrchestratorClient } = await import("@ai-orchestrator/connector");
    const client = new OrchestratorClient({
      url: hub.origin,
      token: "orc_unknown",
      clientId: "nobody",
      target: upstream.target,
      metadata: { hostname: "h", project: "p", platform: "linux" },
    });
    const stopped = once(client, "stopped");
    client.start();
    expect(await stopped).toMatchObject([{ code: "unauthorized" }]);
    await client.stop();
  });

  it("without a hub keeps trying, and comes in when there is one", async () => {
    const hub = await startHub();
    cleanUps.push(() => hub.stop());
    const token = await hub.createToken();
    await hub.kill();
    const upstream = await startUpstream();
    cleanUps.push(() => upstream.stop());
    const { OrchestratorClient } = await import("@ai-orchestrator/connector");
    const client = new OrchestratorClient({
      url: hub.origin,
      token,
      clientId: "early",
      target: upstream.target,
      metadata: { hostname: "h", project: "p", platform: "linux" },
      reconnectIntervalMs: 1000,
    });
    cleanUps.push(() => client.stop());
    const failed = once(client, "disconnected");
    client.start();
    expect(await failed).toMatchObject([{ code: "unreachable" }]);
    const connected = once(client, "connected");
    await hub.restart();
    await connected;
  });
});

describe("the hub", () => {
  it("killed and started again: the connector comes back by itself and the browser's sign-in still holds", async () => {
    const { hub, client, viewer, origin } = await scene();
    const socket = viewer.webSocket(`${origin}/ws`);
    await once(socket, "open");
    const closed = once(socket, "close");
    const back = once(client, "connected");
    await hub.kill();
    await closed;
    await hub.restart();
    await back;
    expect((await viewer.fetch(`${origin}/status/200`)).status).toBe(200);
  });

  it("asleep: after 12 s of silence the next message each way still arrives", async () => {
    const { viewer, origin, upstream } = await scene();
    const socket = viewer.webSocket(`${origin}/ws`);
    await once(socket, "open");
    socket.send("before");
    await once(socket, "message");
    await pause(12_000);
    const fromUpstream = once(socket, "message") as Promise<[Buffer]>;
    for (const each of upstream.sockets) each.send("from the instance");
    expect((await fromUpstream)[0].toString()).toBe("from the instance");
    const echo = once(socket, "message") as Promise<[Buffer]>;
    socket.send("from the browser");
    expect((await echo)[0].toString()).toBe("from the browser");
    socket.terminate();
  });
});

describe("the upstream", () => {
  it("that refuses connections is a 502 with the next step, and works again when it is back", async () => {
    const { viewer, origin, upstream } = await scene();
    await upstream.stop();
    const answer = await viewer.fetch(`${origin}/status/200`);
    expect(answer.status).toBe(502);
    expect(answer.body.toString()).toContain("instance_unreachable");
    const socket = viewer.webSocket(`${origin}/ws`);
    const [, refusal] = (await once(socket, "unexpected-response")) as [unknown, http.IncomingMessage];
    expect(refusal.statusCode).toBe(502);
    refusal.resume();
    const again = await startUpstream(upstream.port);
    cleanUps.push(() => again.stop());
    expect((await viewer.fetch(`${origin}/status/200`)).status).toBe(200);
  });
});

describe("memory", { timeout: 120_000 }, () => {
  const MIB = 1024 * 1024;

  it("a reader that stands still costs its window, not the 256 MiB it asked for", async () => {
    const { hub, viewer, origin } = await scene();
    // The first bodies bring buffers and compiled code that stay; what counts is what a stalled reader adds.
    await viewer.fetch(`${origin}/bytes/${64 * MIB}`);
    const before = hub.memory();
    const answer = await viewer.open(`${origin}/bytes/${256 * MIB}`);
    answer.pause();
    await pause(3000);
    const grown = hub.memory() - before;
    console.log(`stalled reader of 256 MiB: the hub grew by ${(grown / MIB).toFixed(1)} MiB`);
    expect(grown).toBeLessThan(32 * MIB);
    let received = 0;
    for await (const chunk of answer as AsyncIterable<Buffer>) received += chunk.length;
    expect(received).toBe(256 * MIB);
  });

  it("an upload to an upstream that does not read costs its window", async () => {
    const { hub, viewer, origin, upstream } = await scene();
    await viewer.fetch(`${origin}/upload`, { method: "POST", body: Buffer.alloc(64 * MIB) });
    const before = hub.memory();
    const request = viewer.begin(`${origin}/slowread`, { method: "POST" });
    const response = once(request, "response") as Promise<[http.IncomingMessage]>;
    const waiting = once(upstream.events, "waiting");
    request.end(Buffer.alloc(128 * MIB));
    await waiting;
    await pause(2000);
    const grown = hub.memory() - before;
    console.log(`stalled upload of 128 MiB: the hub grew by ${(grown / MIB).toFixed(1)} MiB`);
    expect(grown).toBeLessThan(32 * MIB);
    upstream.events.emit("read");
    const [answer] = await response;
    expect(answer.statusCode).toBe(200);
    answer.resume();
  });
});

async function drain(answer: http.IncomingMessage): Promise<void> {
  for await (const chunk of answer) void chunk;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
