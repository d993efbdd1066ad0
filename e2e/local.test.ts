/** The parts of the local hub that a run of it shows only by chance: what its logs leave out, where the demo keeps its key. */
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { startDemo } from "../packages/hub/local/demo.ts";
import { withoutQueries } from "../packages/hub/src/redact.ts";
import { prepareStateFolder } from "../packages/hub/local/state.ts";
import { userEnvironment } from "../packages/hub/local/user-environment.ts";
import { startHub } from "./hub.ts";

describe("what is logged", () => {
  it.each([
    ["GET http://hub.localhost:8787/auth/local?code=CANARY", "GET http://hub.localhost:8787/auth/local?…"],
    ["Error: no answer to /ws?token=CANARY&x=1 (503)", "Error: no answer to /ws?… (503)"],
    ['{"url":"wss://a.hub.localhost/ws?token=CANARY","x":1}', '{"url":"wss://a.hub.localhost/ws?…","x":1}'],
    ["at <http://x/?CANARY> and 'http://y/z?a#CANARY'", "at <http://x/?…> and 'http://y/z?…'"],
    ["http://x/a?CANARY\nhttp://x/b?CANARY", "http://x/a?…\nhttp://x/b?…"],
    ["http://x/a?next=http://y/b?token=CANARY", "http://x/a?…"],
    ["http://hub.localhost:8787?code=CANARY", "http://hub.localhost:8787?…"],
    ["https://x/%3Fa?CANARY", "https://x/%3Fa?…"],
    ["Is it up? Yes: http://x/a.", "Is it up? Yes: http://x/a."],
  ])("%j becomes %j", (text, expected) => {
    expect(withoutQueries(text)).toBe(expected);
    expect(withoutQueries(text)).not.toContain("CANARY");
  });

  it("holds for a request that cannot be taken", async () => {
    const hub = await startHub();
    try {
      const socket = connect(hub.port, "127.0.0.1").setEncoding("utf8");
      socket.write(`GET /p?token=CANARY HTTP/1.1\r\nHost: hub.localhost:${hub.port}\r\nHost: x\r\n\r\n`);
      const [answer] = (await once(socket, "data")) as [string];
      socket.destroy();
      expect(answer).toMatch(/^HTTP\/1\.1 421/);
    } finally {
      // What it still has to say is said by then.
      await hub.stop();
    }
    expect(hub.logs().map(({ message }) => message)).not.toContainEqual(expect.stringContaining("CANARY"));
  });
});

it("what the runner starts is told nothing of the hub's settings, secrets of the GitHub App among them", () => {
  const own = { HOME: "/home/ann", PATH: "/usr/bin", GITHUB_TOKEN: "theirs", npm_config_registry: "theirs" };
  const settings = {
    GITHUB_CLIENT_ID: "CANARY",
    GITHUB_CLIENT_SECRET: "CANARY",
    GITHUB_WEBHOOK_SECRET: "CANARY",
    ADMINS: "CANARY",
    ORCHESTRATOR_ADMIN_TOKEN: "CANARY",
  };
  expect(userEnvironment({ ...own, ...settings })).toEqual(own);
});

/** As much of a claudecodeui as says where it keeps its database, and as loosely. */
const SERVER = `
const { writeFileSync } = require("node:fs");
process.umask(0o022);
writeFileSync(process.env.DATABASE_PATH, "jwt_secret");
require("node:http")
  .createServer((request, response) => response.end('{"status":"ok","installMode":"npm","version":"1"}'))
  .listen(Number(process.env.SERVER_PORT), "127.0.0.1");
`;

describe("the demo", () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(path.join(tmpdir(), "demo-"));
    const modules = path.join(folder, "installed/node_modules");
    const server = path.join(modules, "@cloudcli-ai/cloudcli/dist-server/server");
    await mkdir(server, { recursive: true });
    await writeFile(path.join(server, "index.js"), SERVER);
    for (const name of ["better-sqlite3", "bcrypt", "node-pty"]) {
      await mkdir(path.join(modules, name));
      await writeFile(path.join(modules, name, "index.js"), "module.exports = class {};");
    }
    vi.stubEnv("CLAUDECODEUI_DIR", path.join(folder, "installed"));
    vi.stubEnv("HOME", folder);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await rm(folder, { recursive: true, force: true });
  });

  it("keeps the key that signs its sign-ins where only its owner can read it", async ({ skip }) => {
    const stateFolder = path.join(folder, "state");
    prepareStateFolder(stateFolder);
    const signal = AbortSignal.timeout(20_000);
    const demo = await startDemo({ report: () => undefined, signal, stateFolder });
    try {
      // Where a claudecodeui runs already, that one is the demo.
      if (Object.keys(demo.environment).length === 0) skip();
      const database = demo.environment["DATABASE_PATH"] ?? "";
      expect(await readFile(database, "utf8")).toBe("jwt_secret");
      expect(path.dirname(database)).toBe(stateFolder);
      expect((await stat(stateFolder)).mode & 0o777).toBe(0o700);
    } finally {
      await demo.stop();
    }
  });
});
