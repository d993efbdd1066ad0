/**
 * Somebody has a copy of everything the hub stores: D1 and every object's storage, byte for byte. They find no secret in it, and
 * nothing they find signs anybody in.
 */
import { readdirSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { OrchestratorClient } from "@ai-orchestrator/connector";
import { SUBPROTOCOL } from "@ai-orchestrator/protocol";
import { afterAll, beforeAll, expect, it } from "vitest";
import { startGitHub, type GitHubServer } from "./github/server.ts";
import { startHub, type TestHub } from "./hub.ts";
import { freePort } from "./port.ts";
import { connect } from "./tunnel/setup.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";
import { Viewer } from "./tunnel/viewer.ts";

let folder: string;
let gitHub: GitHubServer;
let hub: TestHub;
let upstream: Upstream;
let client: OrchestratorClient;
/** Everything secret that was in use, by what it is. */
const secrets = new Map<string, string>();
let dump: { file: string; bytes: Buffer }[];
/** Every text in every table. */
let words: Set<string>;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), "hub-dump-"));
  const port = await freePort();
  gitHub = await startGitHub(`http://hub.localhost:${port}`);
  const { id } = gitHub.github.addUser("ann");
  const settings = { ...gitHub.settings, ALLOWED_USERS: `ann:${id}` };
  [hub, upstream] = await Promise.all([startHub({ port, stateFolder: folder, settings }), startUpstream()]);
  await useIt();
  await hub.kill();
  dump = filesBelow(path.join(folder, "v3")).map((file) => ({ file, bytes: readFileSync(file) }));
  words = new Set(dump.filter(({ file }) => file.endsWith(".sqlite")).flatMap(({ file }) => texts(file)));
  await hub.restart();
});
afterAll(async () => {
  await client.stop();
  await upstream.stop();
  await hub.stop();
  await gitHub.stop();
  await rm(folder, { recursive: true, force: true });
});

const navigation = {
  headers: { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" },
};

/** Two people sign in, an instance connects and is opened, and one code of each kind waits to be used. */
async function useIt(): Promise<void> {
  const local = new Viewer();
  await local.navigate(await hub.signInLink());
  const token = await hub.createToken();
  const instance = await connect(hub, { target: upstream.target, token });
  client = instance.client;
  await local.navigate(`${instance.origin}/status/200`);
  secrets.set("instance token", token);
  keepCookies("local person at the hub", local, hub.origin);
  keepCookies("local person at the instance", local, instance.origin);

  const ann = new Viewer();
  const begun = await ann.fetch(`${hub.origin}/auth/github`, navigation);
  const callback = await gitHub.github.authorize(begun.headers.location ?? "", "ann");
  secrets.set("used state", callback.searchParams.get("state") ?? "");
  secrets.set("used code of GitHub", callback.searchParams.get("code") ?? "");
  expect((await ann.navigate(callback.href)).url).toBe(`${hub.origin}/dashboard`);
  keepCookies("person of GitHub", ann, hub.origin);

  const waiting = await new Viewer().fetch(`${hub.origin}/auth/github`, navigation);
  secrets.set("state", new URL(waiting.headers.location ?? "").searchParams.get("state") ?? "");
  secrets.set("sign-in link's code", new URL(await hub.signInLink()).searchParams.get("code") ?? "");
  const opened = await local.fetch(
    `${hub.origin}/open/${new URL(instance.origin).host.split(".")[0]}?binding=${"a".repeat(43)}`,
    navigation,
  );
  secrets.set("viewer's code", new URL(opened.headers.location ?? "").searchParams.get("code") ?? "");
  secrets.set("hub's secret", readFileSync(path.join(folder, "hub-secret"), "utf8").trim());
}

/** Cookies as they are, and the parts of those that have parts: an id is public, what stands behind it is not. */
function keepCookies(whose: string, viewer: Viewer, origin: string): void {
  for (const pair of viewer.cookieHeader(new URL(origin).host).split("; ")) {
    const [name = "", value = ""] = pair.split("=", 2);
    secrets.set(`${whose}: ${name}`, value);
    secrets.set(`${whose}: ${name}, its secret part`, value.split(".").at(-1) ?? "");
  }
}

function filesBelow(where: string): string[] {
  const entries = readdirSync(where, { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => path.join(entry.parentPath, entry.name));
}

it("was taken of a hub in use", () => {
  expect(dump.filter(({ file }) => file.endsWith(".sqlite")).length).toBeGreaterThan(3);
  const text = dump.map(({ bytes }) => bytes.toString("latin1")).join("\n");
  // What is public is found, so what is not found would have been.
  for (const known of ["github:", "contract-instance", "test-host"]) expect(text).toContain(known);
  for (const [what, secret] of secrets) expect(`${what}: ${secret.length > 13}`).toBe(`${what}: true`);
  expect(secrets.size).toBeGreaterThan(12);
});

it("holds no secret in clear", () => {
  for (const { file, bytes } of dump) {
    for (const [what, secret] of secrets) {
      for (const encoding of ["latin1", "utf16le"] as const)
        expect(bytes.includes(Buffer.from(secret, encoding)) ? `${what} in ${file}` : "").toBe("");
    }
    expect(`${file}: ${/gh[ur]_\w{8,}/.exec(bytes.toString("latin1"))?.[0]}`).toBe(`${file}: undefined`);
  }
});

it("signs nobody in", { timeout: 120_000 }, async () => {
  const ids = [...words].filter((word) => /^[\w-]{16}$/.test(word));
  const hashes = [...words].filter((word) => /^[\w-]{43}$/.test(word));
  expect(ids.length).toBeGreaterThan(1);
  const candidates = [...words, ...ids.flatMap((id) => hashes.map((hash) => `${id}.${hash}`))];
  expect(candidates.length).toBeGreaterThan(50);
  let tried = 0;
  for (const candidate of candidates.filter((text) => /^[\x21-\x7e]{1,500}$/.test(text))) {
    for (const answer of await Promise.all(attempts(candidate))) {
      tried++;
      expect(`${candidate}: ${answer}`).toBe(`${candidate}: refused`);
    }
  }
  expect(tried).toBeGreaterThan(300);
  // A secret that was not in the dump does: the attempts are worth something.
  const good = new URL(await hub.signInLink()).searchParams.get("code") ?? "";
  expect(await Promise.all(attempts(good))).toContain("link 302");
  expect(await Promise.all(attempts(secrets.get("instance token") ?? ""))).toContain("connect 426");
});

/** Every text in a database, whatever its tables are. */
function texts(file: string): string[] {
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
    return tables.flatMap(({ name }) => {
      const select = database.prepare(`SELECT * FROM "${String(name)}"`);
      // Some of the platform's own times are larger than a number.
      select.setReadBigInts(true);
      const rows = select.all();
      return rows.flatMap((row) => Object.values(row).filter((value) => typeof value === "string"));
    });
  } finally {
    database.close();
  }
}

let place = 0;

/** The ways in, each with this text; every attempt from another place, so that no limit answers in the hub's stead. */
function attempts(text: string): Promise<string>[] {
  place++;
  const from = { "cf-connecting-ip": `10.${place >> 16}.${(place >> 8) & 255}.${place & 255}` };
  const cookies = ["session", "access"].map((name) => `__Host-orchestrator-${name}=${text}`);
  const asPerson = [...cookies, cookies.join("; ")].map(async (cookie) => {
    const { status } = await new Viewer().fetch(`${hub.origin}/dashboard`, { headers: { ...from, cookie } });
    return status === 401 ? "refused" : `dashboard ${status}`;
  });
  const asLink = async () => {
    const url = `${hub.origin}/auth/local?code=${encodeURIComponent(text)}`;
    const { status, headers } = await new Viewer().fetch(url, { headers: from });
    return status === 401 && headers["set-cookie"] === undefined ? "refused" : `link ${status}`;
  };
  const asProgram = async () => {
    const headers = { ...from, authorization: `Bearer ${text}` };
    const { status } = await new Viewer().fetch(`${hub.origin}/api/access`, { headers });
    return status === 401 ? "refused" : `api ${status}`;
  };
  // Without a key the platform completes no handshake, so whoever is let in is told 426.
  const asInstance = async () => {
    const upgrade = { connection: "Upgrade", upgrade: "websocket", "sec-websocket-protocol": SUBPROTOCOL };
    const headers = { ...from, ...upgrade, authorization: `Bearer ${text}` };
    const { status } = await new Viewer().fetch(`${hub.origin}/ws/connect?client_id=x`, { headers });
    return status === 401 ? "refused" : `connect ${status}`;
  };
  return [...asPerson, asLink(), asProgram(), asInstance()];
}
