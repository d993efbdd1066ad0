import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type FakeClaudecodeui, startFakeClaudecodeui } from "../testing/fake-claudecodeui.ts";
import { asOtherUser, canBeOtherUser } from "../testing/other-user.ts";
import { createClaudecodeuiAdapter } from "./claudecodeui-adapter.ts";
import { createCredentialStore } from "./credentials.ts";
import { signToken } from "./jwt.ts";
import { PLACEHOLDER_TOKEN } from "./placeholder.ts";
import { SignIn } from "./sign-in.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

let fake: FakeClaudecodeui;
let home: string;
let notices: string[];
let nowMs: number;

beforeEach(async () => {
  fake = await startFakeClaudecodeui();
  home = await mkdtemp(path.join(tmpdir(), "sign-in-"));
  notices = [];
  nowMs = Date.now();
});
afterEach(async () => {
  await fake.stop();
  await rm(home, { recursive: true, force: true });
});

function newSignIn(env: NodeJS.ProcessEnv = {}): SignIn {
  return new SignIn({
    target: fake.target,
    username: "dev",
    store: createCredentialStore(path.join(home, "settings"), fake.port),
    installation: () => Promise.resolve({ env, home, appRoot: undefined }),
    notice: (message) => notices.push(message),
    now: () => nowMs,
  });
}

function writeDatabase(secret = fake.secret): string {
  const file = path.join(home, "auth.db");
  const database = new DatabaseSync(file);
  database.exec("CREATE TABLE users (id INTEGER PRIMARY KEY, username TEXT, is_active BOOLEAN DEFAULT 1)");
  database.exec("CREATE TABLE app_config (key TEXT PRIMARY KEY, value TEXT)");
  database.prepare("INSERT INTO users (id, username) VALUES (1, ?)").run("somebody");
  database.prepare("INSERT INTO app_config VALUES ('jwt_secret', ?)").run(secret);
  database.close();
  return file;
}

test("registers where nobody has, keeps the password before it counts, and signs in with it later", async () => {
  const token = await newSignIn().token();
  expect(fake.user?.username).toBe("dev");
  expect(fake.user?.password.length).toBeGreaterThan(20);
  expect(fake.onboarded).toBe(true);
  const file = path.join(home, "settings", `claudecodeui-${fake.port}.json`);
  expect(JSON.parse(await readFile(file, "utf8"))).toEqual(fake.user);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(path.dirname(file))).mode & 0o777).toBe(0o700);
  expect(notices).toHaveLength(1);
  expect(notices.join()).not.toContain(fake.user?.password);
  fake.requests.length = 0;
  const again = await newSignIn().token();
  expect(again).not.toBe(token);
  expect(fake.requests).toEqual(["GET /api/auth/status", "POST /api/auth/login"]);
});

test("does not register where the password cannot be kept", async () => {
  await writeFile(path.join(home, "settings"), "a file in its place");
  expect(await newSignIn().token()).toBeUndefined();
  expect(fake.user).toBeUndefined();
  expect(notices).toHaveLength(1);
});

test("many at once are one attempt", async () => {
  const signIn = newSignIn();
  const tokens = await Promise.all(Array.from({ length: 20 }, () => signIn.token()));
  expect(new Set(tokens).size).toBe(1);
  expect(fake.requests.filter((request) => request.includes("register"))).toHaveLength(1);
});

test("signs a token with the database's key where a user exists whose password is unknown", async () => {
  fake.user = { username: "somebody", password: "secret" };
  const token = await newSignIn({ DATABASE_PATH: writeDatabase() }).token();
  expect(token).toMatch(/^eyJ/);
  expect(fake.requests).toContain("GET /api/auth/user");
  expect(notices).toEqual([]);
});

test("does not use a key that claudecodeui does not accept, and says so once", async () => {
  fake.user = { username: "somebody", password: "secret" };
  const signIn = newSignIn({ DATABASE_PATH: writeDatabase("another secret") });
  expect(await signIn.token()).toBeUndefined();
  nowMs += 60_000;
  expect(await signIn.token()).toBeUndefined();
  expect(notices).toEqual([
    "cannot sign in to claudecodeui, so its own sign-in page shows: its database on this machine belongs to another claudecodeui",
  ]);
});

test("JWT_SECRET goes before the database's, as in claudecodeui", async () => {
  fake.user = { username: "somebody", password: "secret" };
  const env = { DATABASE_PATH: writeDatabase("another secret"), JWT_SECRET: fake.secret };
  expect(await newSignIn(env).token()).toBeDefined();
});

test("a failed attempt is not repeated at every request", async () => {
  fake.user = { username: "somebody", password: "secret" };
  const signIn = newSignIn();
  await signIn.token();
  const after = fake.requests.length;
  await signIn.token();
  expect(fake.requests).toHaveLength(after);
  nowMs += 3_000;
  await signIn.token();
  expect(fake.requests.length).toBeGreaterThan(after);
});

test("renews a token in the second half of its life meanwhile, and one that has ended before use", async () => {
  const signIn = newSignIn();
  const first = await signIn.token();
  nowMs += 4 * DAY_MS;
  fake.clockMs += 4 * DAY_MS;
  expect(signIn.current()).toBe(first);
  await vi.waitFor(() => expect(signIn.current()).not.toBe(first));
  expect(fake.requests.at(-1)).toBe("POST /api/auth/refresh");
  nowMs += 8 * DAY_MS;
  fake.clockMs += 8 * DAY_MS;
  expect(signIn.current()).toBeUndefined();
  expect(await signIn.token()).toBeDefined();
  expect(fake.requests.at(-1)).toBe("POST /api/auth/login");
});

test("a refused token is dropped and replaced, a brand new one is not doubted", async () => {
  const signIn = newSignIn();
  const first = await signIn.token();
  signIn.rejected(first);
  expect(signIn.current()).toBe(first);
  nowMs += 10_000;
  signIn.rejected("another.token.altogether");
  expect(signIn.current()).toBe(first);
  fake.secret = "a new secret";
  signIn.rejected(first);
  expect(signIn.current()).toBeUndefined();
  await vi.waitFor(() => expect(signIn.current()).toBeDefined());
});

test("a person's own sign-in serves from then on, and outlives this process", async () => {
  fake.user = { username: "somebody", password: "secret" };
  const signIn = newSignIn();
  expect(await signIn.token()).toBeUndefined();
  const token = signToken({ id: 1, username: "somebody" }, fake.secret, nowMs);
  signIn.adopt(token);
  expect(signIn.current()).toBe(token);
  const store = createCredentialStore(path.join(home, "settings"), fake.port);
  await vi.waitFor(async () => expect(await store.read()).toEqual({ token }));
  const renewed = await newSignIn().token();
  expect(renewed).toBeDefined();
  expect(await store.read()).toEqual({ token: renewed });
});

test("the adapter, end to end: signs requests, hides tokens, recovers from a refusal", async () => {
  const adapter = createClaudecodeuiAdapter({
    target: fake.target,
    home,
    env: {},
    folder: path.join(home, "settings"),
  });
  await adapter.start();
  expect(adapter.software).toEqual({ name: "claudecodeui", version: "1.2.3" });
  const request = { kind: "http", method: "GET", target: "/api/projects", headers: [] } as const;
  const prepared = await adapter.prepareRequest({
    ...request,
    headers: [["Authorization", `Bearer ${PLACEHOLDER_TOKEN}`]],
  });
  const token = prepared.headers[0]?.[1];
  expect(token).toMatch(/^Bearer eyJ/);
  const refused = adapter.prepareResponse(prepared, {
    status: 401,
    headers: [
      ["X-Auth-Error", "invalid-token"],
      ["X-Refreshed-Token", "a.b.c"],
    ],
  });
  expect(refused.response).toEqual({ status: 401, headers: [] });
  await adapter.stop();
});

test("the adapter hears of runs from claudecodeui and says when they change", async () => {
  const adapter = createClaudecodeuiAdapter({
    target: fake.target,
    home,
    env: {},
    folder: path.join(home, "settings"),
  });
  let changes = 0;
  const unsubscribe = adapter.onChange(() => changes++);
  await adapter.start();
  expect(adapter.sessions()).toEqual([]);
  fake.running = ["s"];
  await adapter.refresh();
  expect(adapter.sessions()).toEqual([{ id: "s", project: "", state: "working", since: 1 }]);
  expect(changes).toBeGreaterThan(0);
  fake.running = [];
  await vi.waitFor(() => expect(adapter.sessions()).toMatchObject([{ id: "s", state: "done" }]), {
    timeout: 4_000,
  });
  unsubscribe();
  await adapter.stop();
});

test("where nothing answers, nothing throws", async () => {
  await fake.stop();
  const adapter = createClaudecodeuiAdapter({
    target: fake.target,
    home,
    env: {},
    folder: path.join(home, "settings"),
  });
  adapter.onNotice?.((message) => notices.push(message));
  await adapter.start();
  expect(adapter.software).toBeUndefined();
  expect(adapter.sessions()).toEqual([]);
  expect(notices).toEqual([
    `cannot sign in to claudecodeui, so its own sign-in page shows: ${fake.target} does not answer`,
  ]);
  await adapter.stop();
});

test.runIf(canBeOtherUser)("no password and no token goes to another user who took the port", async () => {
  const { port } = fake;
  fake.user = { username: "somebody", password: "secret" };
  const signIn = newSignIn({ DATABASE_PATH: writeDatabase() });
  const token = await signIn.token();
  expect(token).toBeDefined();
  await createCredentialStore(path.join(home, "settings"), port).write({ username: "dev", password: "kept" });
  await fake.stop();
  fake = await asOtherUser(() => startFakeClaudecodeui(port));
  signIn.rejected(token);
  nowMs += 60_000;
  signIn.rejected(token);
  expect(await signIn.token()).toBeUndefined();
  expect(await newSignIn({ DATABASE_PATH: path.join(home, "auth.db") }).token()).toBeUndefined();
  expect(fake.requests).toEqual([]);
  const trouble = `cannot sign in to claudecodeui, so its own sign-in page shows: port ${port} belongs to another user of this machine`;
  expect(notices).toEqual([trouble, trouble]);
});
