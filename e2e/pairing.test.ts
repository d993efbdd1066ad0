/** Pairing on the built hub: the real command at one end, a person in a browser at the other. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { built } from "../packages/hub/local/paths.ts";
import { axeFindings } from "./pages/axe.ts";
import { answerQuestion } from "./pages/questions.ts";
import { openDashboard, startStage, type Stage } from "./pages/stage.ts";
import { Watch } from "./pages/watch.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

let stage: Stage;
let upstream: Upstream;
let home: string;
/** How a socket ends that never says who it is; begun early, because it takes as long as the rest. */
let silence: Promise<{ code: number; afterMs: number }>;

beforeAll(async () => {
  [stage, upstream] = await Promise.all([startStage(), startUpstream()]);
});
afterEach(async () => {
  await Promise.all([...commands].map((one) => one.stop()));
  commands.clear();
  await stage.clear();
  await rm(home, { recursive: true, force: true });
});
afterAll(() => Promise.all([stage.stop(), upstream.stop()]));

async function silentSocket(): Promise<{ code: number; afterMs: number }> {
  const headers = { host: new URL(stage.hub.origin).host };
  const socket = new WebSocket(`ws://127.0.0.1:${stage.hub.port}/ws/pending`, { headers });
  const began = Date.now();
  const [code] = (await once(socket, "close")) as [number];
  return { code, afterMs: Date.now() - began };
}

const commands = new Set<Command>();

/** `orchestrator connect`, in a home of its own unless it has one already. */
class Command {
  readonly #child: ChildProcess;
  readonly ended: Promise<number>;
  text = "";

  constructor(...args: string[]) {
    const environment = { ...process.env, HOME: home, XDG_CONFIG_HOME: "", NO_COLOR: "1" };
    const all = [built.connectorCli, "connect", ...args, "--target", upstream.target];
    this.#child = spawn(process.execPath, all, { env: environment, stdio: ["ignore", "pipe", "pipe"] });
    for (const out of [this.#child.stdout, this.#child.stderr])
      out?.on("data", (chunk: Buffer) => (this.text += chunk.toString()));
    this.ended = once(this.#child, "exit").then(([code]) => Number(code));
    commands.add(this);
  }

  /** Resolves with what the pattern's first group holds, once it is printed. */
  async printed(pattern: RegExp): Promise<string> {
    await expect.poll(() => this.text, { timeout: 20_000 }).toMatch(pattern);
    return pattern.exec(this.text)?.[1] ?? "";
  }

  code(): Promise<string> {
    return this.printed(/Code +(\S{4}-\S{4})\n/);
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill("SIGTERM");
    await this.ended;
  }
}

async function command(...args: string[]): Promise<Command> {
  home = await mkdtemp(join(tmpdir(), "pairing-"));
  return new Command(...args);
}

const configFile = () => join(home, ".config/orchestrator/config.json");

async function readConfig(): Promise<Record<string, unknown>> {
  const { orchestrator } = JSON.parse(await readFile(configFile(), "utf8")) as {
    orchestrator: Record<string, unknown>;
  };
  return orchestrator;
}

const factsOf = async (page: Page) =>
  (await page.locator("main dl.facts").innerText()).replaceAll(/\s+/g, " ");

it("a code that is typed in: the page shows what asks, and once it is approved the card appears", async () => {
  const { page, watch } = await stage.dashboard();
  const first = await page.locator("#pair-command").innerText();
  expect(first).toContain(` connect ${stage.hub.origin}`);
  const shown = await command(stage.hub.origin);
  const code = await shown.code();
  const fingerprint = await shown.printed(/Fingerprint +(.+)\n/);
  await shown.printed(/Open +(http\S+)\n/);

  await page.click("text=Approve a code");
  await page.fill("#code", ` ${code.toLowerCase().replace("-", " ")}`);
  await page.keyboard.press("Enter");
  await page.waitForSelector("text=Is this your instance?");
  expect(await page.textContent("#fingerprint")).toBe(fingerprint);
  expect(await factsOf(page)).toMatch(
    new RegExp(
      `Code ${code} Fingerprint .* Project .* Platform linux Connector ai-orchestrator-connector .* Instance new From this machine`,
    ),
  );
  expect(await axeFindings(page)).toEqual([]);
  await page.click("button:text-is('Approve')");
  await page.waitForURL("**/dashboard");
  await page.waitForSelector(".card[data-state]:not([data-state=unreachable])");
  await shown.printed(/(Connected)/);

  expect(shown.text).toContain(`Approved by local. The token is kept in ${configFile()}\n`);
  const { url, token } = await readConfig();
  expect([url, String(token).length]).toEqual([stage.hub.origin, 53]);
  expect((await stat(configFile())).mode & 0o777).toBe(0o600);
  expect((await stat(join(home, ".config/orchestrator"))).mode & 0o777).toBe(0o700);
  const seen = [shown.text, JSON.stringify(stage.hub.logs()), ...watch.requests, ...watch.navigations].join(
    "\n",
  );
  expect(seen).not.toContain(String(token));
  expect(seen).not.toMatch(/orc_/);
  expect(watch.complaints).toEqual([]);

  await page.goto(`${stage.hub.origin}/audit`);
  const audit = await page.innerText("main");
  for (const words of ["approved an instance", `(${fingerprint})`, "made a token", "pairing"])
    expect(audit).toContain(words);
  expect(audit).not.toContain(code);

  // Next time it needs no argument.
  await shown.stop();
  const again = new Command();
  await again.printed(/(Connected)/);
  expect(again.text).not.toContain("Code");
});

it("a link that is opened: it survives the sign-in, and what is denied there ends with a reason", async () => {
  const asked = await command(stage.hub.origin);
  const code = await asked.code();
  const link = await asked.printed(/Open +(\S+)\n/);
  expect(link).toBe(`${stage.hub.origin}/pair?code=${code}`);
  const context = await stage.profile();
  const page = await context.newPage();
  await page.goto(link);
  expect(page.url()).toContain("/auth/sign-in?next=");
  await page.goto(await stage.hub.signInLink());
  expect(page.url()).toBe(link);
  await page.click("button:text-is('Deny')");
  await page.waitForSelector("h1:text-is('Denied')");
  expect(await axeFindings(page)).toEqual([]);
  expect(await asked.ended).toBe(4);
  expect(asked.text).toContain("It was denied at the hub.\n");
  await expect(readConfig()).rejects.toThrow("ENOENT");
});

it("a code works once, and a hub that is started anew in between still knows it", async () => {
  const { page, context } = await stage.dashboard();
  const asked = await command(stage.hub.origin);
  const code = await asked.code();
  await stage.hub.kill();
  await asked.printed(/(Not connected to)/);
  await stage.hub.restart();
  silence = silentSocket();
  await page.goto(`${stage.hub.origin}/pair?code=${code}`);
  await page.waitForSelector("text=Is this your instance?");
  // Of the same question in two tabs one is answered.
  const other = await context.newPage();
  await other.goto(page.url());
  await page.click("button:text-is('Approve')");
  await asked.printed(/(Connected)/);
  expect(asked.text.match(/Code /g)).toHaveLength(1);
  await other.click("button:text-is('Deny')");
  await other.waitForSelector("h1:text-is('Approved')");
  await other.waitForSelector("text=It has its token");
  await page.goto(`${stage.hub.origin}/tokens`);
  expect(await page.locator('.rows > li:has-text("last used")').count()).toBeGreaterThan(0);
});

it("a token that is revoked: the command says how to pair again, and does", async () => {
  const { page } = await stage.dashboard();
  const asked = await command(stage.hub.origin);
  await page.goto(`${stage.hub.origin}/pair?code=${await asked.code()}`);
  await page.click("button:text-is('Approve')");
  await asked.printed(/(Connected)/);
  const { token: former } = await readConfig();
  await page.goto(`${stage.hub.origin}/tokens`);
  await page.locator(`li:has-text("ends in ${String(former).slice(-4)}") >> text=Revoke`).click();
  await answerQuestion(page, true);
  expect(await asked.ended).toBe(4);
  expect(asked.text).toContain("For a new token: orchestrator connect --pair\n");

  const again = new Command("--pair");
  await page.goto(`${stage.hub.origin}/pair?code=${await again.code()}`);
  expect(await factsOf(page)).toContain("takes the place of");
  await page.click("button:text-is('Approve')");
  await again.printed(/(Connected)/);
  expect((await readConfig())["token"]).not.toBe(former);
});

it("version 1, which shows no code: it stands on the dashboard of whom it names, while it waits", async () => {
  const { page, watch } = await stage.dashboard();
  const address = `ws://127.0.0.1:${stage.hub.port}/ws/pending`;
  const open = async (query: string) => {
    const socket = new WebSocket(address + query, { headers: { host: new URL(stage.hub.origin).host } });
    const messages: Record<string, unknown>[] = [];
    socket.on("message", (data: Buffer) =>
      messages.push(JSON.parse(data.toString()) as Record<string, unknown>),
    );
    await once(socket, "open");
    const hostname = `<b>${query}</b>`;
    socket.send(
      JSON.stringify({ type: "pending_register", pending_id: "p", hostname, project: "/srv", platform: "x" }),
    );
    return { socket, messages };
  };
  const away = await open("?user=local");
  await page.waitForSelector("#pair-notices >> text=?user=local</b>");
  expect(await axeFindings(page)).toEqual([]);
  away.socket.terminate();
  await expect.poll(() => page.locator("#pair-notices .callout").count(), { timeout: 15_000 }).toBe(0);

  const stranger = await open("?user=somebody-else");
  const { socket, messages } = await open("?user=LOCAL");
  const closed = once(socket, "close");
  await page.click("#pair-notices >> text=Look at it");
  await page.waitForSelector("text=Asks for");
  await page.click("button:text-is('Approve')");
  await page.waitForURL("**/dashboard");
  await closed;
  expect(messages.map(({ type }) => type)).toEqual(["pending_registered", "token_granted"]);
  const { token, client_id: clientId } = messages[1] ?? {};
  expect([String(token).length, clientId]).toEqual([53, expect.stringMatching(/^[a-z-]+-[a-z]{8}$/)]);
  expect(stranger.messages.map(({ type }) => type)).toEqual(["pending_registered"]);
  const { code } = stranger.messages[0] ?? {};
  expect((await page.goto(`${stage.hub.origin}/pair?code=${String(code)}`))?.status()).toBe(403);
  stranger.socket.terminate();
  expect(watch.complaints.filter((text) => !text.includes("403"))).toEqual([]);
});

it("wrong codes are answered ten times, and then not any more", async () => {
  const { context } = await stage.dashboard();
  const { page } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
  const watch = await Watch.start(await context.newPage());
  const statuses = [];
  for (const last of "BCDFGHJKLMNP")
    statuses.push((await page.goto(`${stage.hub.origin}/pair?code=WDJB-MJH${last}`))?.status());
  expect(statuses).toEqual([...Array<number>(10).fill(404), 429, 429]);
  expect(await page.innerText("main")).toContain("Too many attempts");
  expect(watch.complaints).toEqual([]);
});

it("a socket that says nothing is closed after ten seconds", async () => {
  const { code, afterMs } = await silence;
  expect(code).toBe(4408);
  expect(afterMs).toBeGreaterThan(9_000);
});
