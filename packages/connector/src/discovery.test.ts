import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { readLocalServer } from "./claudecodeui/local-server.ts";
import { findClaudecodeui } from "./discovery.ts";
import { type FakeClaudecodeui, startFakeClaudecodeui } from "./testing/fake-claudecodeui.ts";
import { asOtherUser, canBeOtherUser } from "./testing/other-user.ts";

let home: string;
const fakes: FakeClaudecodeui[] = [];
const servers: Server[] = [];

beforeEach(async () => {
  home = await mkdtemp(path.join(tmpdir(), "discovery-"));
});
afterEach(async () => {
  await Promise.all(fakes.splice(0).map((fake) => fake.stop()));
  for (const server of servers.splice(0)) server.close();
  await rm(home, { recursive: true, force: true });
});

async function start(): Promise<FakeClaudecodeui> {
  const fake = await startFakeClaudecodeui();
  fakes.push(fake);
  return fake;
}

async function startOther(body: string): Promise<number> {
  const server = createServer((_request, response) => response.end(body));
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
}

async function mark(marker: unknown): Promise<void> {
  await mkdir(path.join(home, ".cloudcli"), { recursive: true });
  await writeFile(path.join(home, ".cloudcli", "local-server.json"), JSON.stringify(marker));
}

test("goes by what claudecodeui says of itself before looking at ports", async () => {
  const [marked, usual] = [await start(), await start()];
  await mark({
    pid: process.pid,
    host: "0.0.0.0",
    port: marked.port,
    url: "http://elsewhere",
    appRoot: "/x",
  });
  expect(await findClaudecodeui({ home, ports: [usual.port] })).toEqual({
    target: marked.target,
    version: "1.2.3",
  });
  expect(await readLocalServer(home)).toEqual({
    pid: process.pid,
    port: marked.port,
    target: marked.target,
    appRoot: "/x",
  });
});

test("a marker whose process is gone, or whose port is somebody else's now, is passed over", async () => {
  const [stale, usual] = [await start(), await start()];
  await mark({ pid: 0x3fff_fff0, host: "127.0.0.1", port: stale.port });
  expect(await findClaudecodeui({ home, ports: [usual.port] })).toMatchObject({ target: usual.target });
  await mark({ pid: process.pid, host: "127.0.0.1", port: await startOther('{"status":"ok"}') });
  expect(await findClaudecodeui({ home, ports: [usual.port] })).toMatchObject({ target: usual.target });
});

test.each([[{}], [{ pid: "1", port: 1 }], [{ pid: 1, port: 99_999 }], ["text"], [null]])(
  "a marker that says %j says nothing",
  async (marker) => {
    await mark(marker);
    expect(await readLocalServer(home)).toBeUndefined();
  },
);

test("a web server that is not claudecodeui is not found", async () => {
  const ports = [await startOther("<html>"), await startOther('{"status":"ok","version":"1"}'), 1];
  expect(await findClaudecodeui({ home, ports })).toBeUndefined();
});

test("of several ports the first counts", async () => {
  const [first, second] = [await start(), await start()];
  expect(await findClaudecodeui({ home, ports: [first.port, second.port] })).toMatchObject({
    target: first.target,
  });
});

test.runIf(canBeOtherUser)("one of another user is passed over unasked, and that is said", async () => {
  const [others, ours] = [await asOtherUser(start), await start()];
  const notices: string[] = [];
  const notice = (message: string) => notices.push(message);
  expect(await findClaudecodeui({ home, ports: [others.port], notice })).toBeUndefined();
  expect(notices).toEqual([
    `port ${others.port} belongs to another user of this machine; it was passed over`,
  ]);
  // What the marker says does not make it ours.
  await mark({ pid: process.pid, host: "127.0.0.1", port: others.port });
  expect(await findClaudecodeui({ home, ports: [ours.port], notice })).toMatchObject({ target: ours.target });
  expect(others.requests).toEqual([]);
  expect(notices).toHaveLength(1);
});
