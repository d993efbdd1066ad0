/** The adapter beside a real claudecodeui with a real Claude Code: what it signs in, what it hides, what it sees. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, stat } from "node:fs/promises";
import path from "node:path";
import { type Adapter, createClaudecodeuiAdapter } from "@ai-orchestrator/connector";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { type AdapterProxy, startAdapterProxy } from "./adapter-proxy.ts";
import { type RealClaudecodeui, startRealClaudecodeui } from "./harness.ts";

let real: RealClaudecodeui;
let adapter: Adapter;
let proxy: AdapterProxy;
let folder: string;
const notices: string[] = [];

beforeAll(async () => {
  real = await startRealClaudecodeui();
  folder = path.join(real.home, ".config", "orchestrator");
  adapter = newAdapter();
  await adapter.start();
  proxy = await startAdapterProxy(adapter, real.origin);
});

afterAll(async () => {
  await proxy?.stop();
  await adapter?.stop();
  await real?.stop();
});

function newAdapter(settings = folder): Adapter {
  const made = createClaudecodeuiAdapter({
    target: real.origin,
    home: real.home,
    env: {},
    folder: settings,
  });
  made.onNotice?.((message) => notices.push(message));
  return made;
}

/** What the page stores and sends: taken from the page itself, as a browser would. */
async function placeholderOf(origin: string): Promise<string> {
  const page = await (await fetch(origin)).text();
  const script = /^[^]*?<head><script>try\{localStorage\.setItem\("auth-token","([\w.-]+)"\)/i.exec(page);
  expect(page.indexOf("localStorage")).toBeLessThan(page.indexOf("<script type="));
  return script?.[1] ?? "";
}

async function keptPassword(): Promise<{ username: string; password: string }> {
  const file = path.join(folder, `claudecodeui-${real.port}.json`);
  return JSON.parse(await readFile(file, "utf8")) as { username: string; password: string };
}

/** Follows the status words and session states, without repetitions. */
function follow() {
  const steps: string[] = [];
  const take = ({ status, sessions }: ReturnType<typeof proxy.tracker.current>) => {
    const asks = sessions.find(({ state }) => state.startsWith("needs"));
    const step = asks ? `${status}:${asks.state}` : status;
    if (steps.at(-1) !== step) steps.push(step);
  };
  take(proxy.tracker.current());
  return { steps, end: proxy.tracker.onChange(take) };
}

async function openChat(origin: string) {
  const socket = new WebSocket(`${origin.replace("http", "ws")}/ws?token=${await placeholderOf(origin)}`);
  const frames: { kind: string; requestId?: string; content?: string }[] = [];
  socket.on("message", (data: Buffer) => frames.push(JSON.parse(data.toString()) as (typeof frames)[number]));
  await once(socket, "open");
  const until = (kind: string) =>
    vi.waitFor(() => frames.find((frame) => frame.kind === kind) ?? Promise.reject(new Error(`no ${kind}`)), {
      timeout: 30_000,
      interval: 20,
    });
  const send = (message: object) => socket.send(JSON.stringify(message));
  return { socket, frames, until, send };
}

async function createSession(origin: string): Promise<string> {
  const response = await fetch(`${origin}/api/providers/sessions`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${await placeholderOf(origin)}` },
    body: JSON.stringify({ provider: "claude", projectPath: real.project }),
  });
  expect(response.status).toBe(201);
  return ((await response.json()) as { data: { sessionId: string } }).data.sessionId;
}

function prompt(sessionId: string, content: string) {
  const options = { permissionMode: "default", cwd: real.project, projectPath: real.project };
  return { type: "chat.send", sessionId, content, options };
}

test("registers where nobody has, keeps the password for this user only, and finishes onboarding", async () => {
  const { username, password } = await keptPassword();
  expect(notices.join("\n")).toContain(username);
  expect(notices.join("\n")).not.toContain(password);
  expect((await stat(path.join(folder, `claudecodeui-${real.port}.json`))).mode & 0o777).toBe(0o600);
  const onboarding = await fetch(`${proxy.origin}/api/user/onboarding-status`);
  expect(await onboarding.json()).toMatchObject({ hasCompletedOnboarding: true });
});

test("goes idle, active, busy, needs permission, busy, active, idle by itself", async () => {
  const { steps, end } = follow();
  const chat = await openChat(proxy.origin);
  const sessionId = await createSession(proxy.origin);
  await vi.waitFor(() => expect(steps).toEqual(["idle", "active"]));
  chat.send(prompt(sessionId, "Please do what needs permission."));
  const { requestId } = await chat.until("permission_request");
  await vi.waitFor(() => expect(steps.at(-1)).toBe("busy:needs_permission"));
  chat.send({ type: "chat.permission-response", requestId, allow: true });
  await chat.until("complete");
  await vi.waitFor(() => expect(steps.at(-1)).toBe("active"));
  chat.socket.close();
  await vi.waitFor(() => expect(steps.at(-1)).toBe("idle"));
  end();
  expect(steps).toEqual(["idle", "active", "busy", "busy:needs_permission", "busy", "active", "idle"]);
  expect(chat.frames.map(({ content }) => content ?? "").join("")).toContain("forty-two");
  await stat(path.join(real.project, "made-by-claude"));
});

test("sees the same of a browser that does not come through the connector, and keeps what it finished unseen", async () => {
  const { steps, end } = follow();
  const beside = await startAdapterProxy(newAdapterWithoutStart(), real.origin);
  const chat = await openChat(beside.origin);
  const sessionId = await createSession(beside.origin);
  chat.send(prompt(sessionId, "Please ask me a question."));
  const { requestId } = await chat.until("permission_request");
  await vi.waitFor(() => expect(steps.at(-1)).toBe("busy:needs_answer"), { timeout: 5_000 });
  const answers = { "Which colour?": "Red" };
  chat.send({ type: "chat.permission-response", requestId, allow: true, updatedInput: { answers } });
  await chat.until("complete");
  await vi.waitFor(() => expect(steps.at(-1)).toBe("idle"), { timeout: 5_000 });
  end();
  expect(steps).toEqual(["idle", "busy", "busy:needs_answer", "busy", "idle"]);
  expect(adapter.sessions()).toMatchObject([{ id: sessionId, project: real.project, state: "done" }]);
  await beside.stop();

  const viewer = await openChat(proxy.origin);
  viewer.send({ type: "chat.subscribe", sessions: [{ sessionId }] });
  await vi.waitFor(() => expect(adapter.sessions().filter(({ state }) => state === "done")).toEqual([]));
  viewer.socket.close();
});

function newAdapterWithoutStart(): Adapter {
  const other = newAdapter();
  others.push(other);
  return other;
}
const others: Adapter[] = [];
afterAll(() => Promise.all(others.map((other) => other.stop())));

test("an aborted answer ends in idle, whatever comes after", async () => {
  const chat = await openChat(proxy.origin);
  const sessionId = await createSession(proxy.origin);
  chat.send(prompt(sessionId, "Count."));
  await vi.waitFor(() => expect(proxy.tracker.current().status).toBe("busy"));
  await vi.waitFor(() => expect(real.anthropic.asked.at(-1)?.prompt).toBe("Count."), { timeout: 10_000 });
  chat.send({ type: "chat.abort", sessionId });
  await chat.until("complete");
  await vi.waitFor(() => expect(proxy.tracker.current().status).toBe("active"), { timeout: 5_000 });
  chat.socket.close();
  await vi.waitFor(() => expect(proxy.tracker.current()).toEqual({ status: "idle", sessions: [] }), {
    timeout: 5_000,
  });
});

test("sees a claude that runs in a terminal, and forgets it when it is killed", async () => {
  const env = { ...process.env, ...real.environment };
  const child = spawn(real.claude, ["-p", "hi", "--output-format", "text"], {
    cwd: real.project,
    env,
    stdio: "ignore",
  });
  const before = real.anthropic.answer;
  real.anthropic.answer = () => ({ paragraphs: ["word ".repeat(100)], pauseMs: 100 });
  const ended = once(child, "exit");
  await vi.waitFor(() => expect(proxy.tracker.current().status).toBe("busy"), { timeout: 15_000 });
  child.kill("SIGKILL");
  await ended;
  await vi.waitFor(() => expect(proxy.tracker.current().status).toBe("idle"), { timeout: 10_000 });
  real.anthropic.answer = before;
});

test("signs in again where the password is not known, with the key in the database", async () => {
  const stranger = newAdapter(path.join(real.home, "other-settings"));
  const request = { kind: "http", method: "GET", target: "/api/auth/user", headers: [] } as const;
  const prepared = await stranger.prepareRequest({ ...request, headers: [] });
  const response = await fetch(real.origin + prepared.target, { headers: prepared.headers });
  expect(response.status).toBe(200);
  await stranger.stop();
});

test("the real token is in nothing a browser received, a person's own sign-in included", async () => {
  const credentials = await keptPassword();
  const login = await fetch(`${proxy.origin}/api/auth/login`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(credentials),
  });
  expect(await login.json()).toMatchObject({ success: true, token: await placeholderOf(proxy.origin) });
  const refreshed = await fetch(`${proxy.origin}/api/auth/refresh`, { method: "POST" });
  expect(await refreshed.json()).toEqual({ token: await placeholderOf(proxy.origin) });

  const prepared = await adapter.prepareRequest({
    kind: "http",
    method: "GET",
    target: "/api/x",
    headers: [],
  });
  const token = prepared.headers.find(([name]) => name === "Authorization")?.[1]?.split(" ")[1] ?? "";
  expect(token).toMatch(/^eyJ/);
  expect(proxy.received()).not.toContain(token);
  // Not another token of its making either: every one has the same claims at its start.
  expect(proxy.received()).not.toMatch(/eyJhbGciOiJIUzI1Ni/);
  expect(proxy.received()).toContain(await placeholderOf(proxy.origin));
});
