/** A fork's client of version 1, a program that knows nothing of this project, against the hub that people run. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { openDashboard, startStage, type Stage } from "../pages/stage.ts";
import { Viewer } from "../tunnel/viewer.ts";
import type { Said } from "./client.ts";

class Client {
  readonly said: Said[] = [];
  readonly child: ChildProcess;

  constructor(environment: Record<string, string>) {
    const script = path.join(import.meta.dirname, "client.ts");
    const env = { ...process.env, RECONNECT_MS: "300", ...environment };
    this.child = spawn(process.execPath, [script], { env, stdio: ["pipe", "pipe", "inherit"] });
    if (!this.child.stdout) throw new Error("no output");
    createInterface({ input: this.child.stdout }).on("line", (line) =>
      this.said.push(JSON.parse(line) as Said),
    );
  }

  of(event: string): Said[] {
    return this.said.filter((one) => one.event === event);
  }

  async heard(event: string, count = 1): Promise<Said[]> {
    await expect.poll(() => this.of(event).length, { timeout: 15_000 }).toBeGreaterThanOrEqual(count);
    return this.of(event);
  }

  write(word: string): void {
    this.child.stdin?.write(`${word}\n`);
  }

  get isOver(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null;
  }

  async stop(): Promise<void> {
    if (this.isOver) return;
    this.child.kill();
    await once(this.child, "exit");
  }
}

let stage: Stage;
const clients = new Set<Client>();

beforeAll(async () => {
  stage = await startStage();
});
afterEach(async () => {
  await Promise.all([...clients].map((client) => client.stop()));
  clients.clear();
  await stage.clear();
});
afterAll(() => stage.stop());

function start(id: string, token: string, more: Record<string, string> = {}): Client {
  const client = new Client({
    ORCHESTRATOR_URL: stage.hub.origin,
    ORCHESTRATOR_TOKEN: token,
    ORCHESTRATOR_CLIENT_ID: id,
    ...more,
  });
  clients.add(client);
  return client;
}

async function connected(id: string, more: Record<string, string> = {}): Promise<Client> {
  const client = start(id, await stage.hub.createToken(), more);
  expect(await client.heard("registered")).toEqual([
    { event: "registered", type: "registered", success: true },
  ]);
  return client;
}

/** A signed-in browser without a screen, and the address below which it sees this instance, once that is allowed. */
async function viewerOf(id: string): Promise<{ viewer: Viewer; base: string }> {
  const viewer = new Viewer();
  await viewer.navigate(await stage.hub.signInLink());
  const info = await viewer.fetch(`${stage.hub.origin}/api/clients/${id}/ws-info`);
  const { ws_base } = JSON.parse(info.body.toString()) as { ws_base: string };
  const base = ws_base.replace("ws:", "http:");
  const form = {
    method: "POST",
    body: "path=allow",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  };
  const allowed = await viewer.fetch(base.replace(/\/proxy$/, "/path"), form);
  expect(allowed.status).toBe(303);
  return { viewer, base };
}

describe.each([
  ["in the URL", {}],
  ["in its registration only", { TOKEN_IN: "message" }],
])("a client with its token %s", (where, more) => {
  const id = where === "in the URL" ? "fork-url" : "fork-message";

  it("is asked for pages, bytes and what is not there, and gets text to its app", async () => {
    await connected(id, more);
    const { viewer, base } = await viewerOf(id);
    const page = await viewer.navigate(`${base}/`);
    expect(page.status).toBe(200);
    expect(page.body.toString()).toContain(`src="${new URL(base).pathname}/app.js"`);
    const pixel = await viewer.fetch(`${base}/pixel.png`);
    expect([pixel.headers["content-type"], pixel.body.length, pixel.body[0]]).toEqual(["image/png", 70, 137]);
    expect(pixel.headers["x-orch-encoding"]).toBeUndefined();
    expect(pixel.headers["x-orchestrator-client-version"]).toBeUndefined();
    const missing = await viewer.fetch(`${base}/missing?q=1`);
    expect([missing.status, missing.body.toString()]).toEqual([404, "none"]);
    expect(missing.headers["set-cookie"]).toHaveLength(2);
    const body = JSON.stringify({ text: "ü€\u{1f6d1}".repeat(20_000) });
    const echo = await viewer.fetch(`${base}/api/echo`, { method: "POST", body });
    expect(echo.body.toString()).toBe(body);
    const headers = { "x-orchestrator-username": "root" };
    const seen = JSON.parse((await viewer.fetch(`${base}/headers`, { headers })).body.toString()) as string[];
    expect(seen.filter((text) => /^x-orchestrator-username$/i.test(text))).toHaveLength(1);
    expect(seen).not.toContain("root");
    const binary = await viewer.fetch(`${base}/api/echo`, {
      method: "POST",
      body: Buffer.from([255, 216, 255]),
    });
    expect([binary.status, binary.body.toString()]).toEqual([
      501,
      expect.stringContaining("version_1_limit"),
    ]);
  });

  it(
    "is back after the hub was killed, with its token, its statuses and its pages",
    { timeout: 60_000 },
    async () => {
      const client = await connected(`${id}-back`, more);
      const { viewer, base } = await viewerOf(`${id}-back`);
      expect((await viewer.fetch(`${base}/missing`)).status).toBe(404);
      await stage.hub.kill();
      await client.heard("closed");
      await stage.hub.restart();
      await client.heard("registered", 2);
      expect((await viewer.fetch(`${base}/missing`)).status).toBe(404);
      expect(client.isOver).toBe(false);
    },
  );
});

describe("in the dashboard", () => {
  it(
    "it stands like any other, changes as it reports, opens in path mode, chats, and is active while it does",
    { timeout: 60_000 },
    async () => {
      const client = await connected("fork-seen", { PING_MS: "500" });
      const { page, context, watch } = await openDashboard(
        await stage.profile(),
        await stage.hub.signInLink(),
      );
      const card = page.locator(".card", { hasText: "shop" }).filter({ hasText: "fork-box" });
      await card.getByText("idle").first().waitFor();
      client.write("busy");
      await card.getByText("working").first().waitFor();
      client.write("idle");
      await card.getByText("idle").first().waitFor();
      expect(watch.complaints).toEqual([]);

      const opening = context.waitForEvent("page").catch(() => page);
      await card.getByRole("link", { name: "Open" }).first().click();
      const opened = await Promise.race([opening, page.waitForURL(/\/path\?|\/proxy/).then(() => page)]);
      await opened.waitForURL(/\/path\?/);
      await opened.getByRole("button", { name: "Allow path mode" }).click();
      await opened.locator("form").getByRole("link", { name: "Open" }).click();
      await opened.waitForURL(/\/proxy\/$/);
      expect(await opened.title()).not.toBe("");
      await opened.locator("#frames li", { hasText: "claude-complete" }).waitFor();
      const frames = await opened.locator("#frames li").allTextContents();
      expect(frames.toSorted()).toEqual(
        [
          'echo {"a":"ü"}',
          '{"type":"claude-complete"}',
          '{"type":"claude-response","data":"Hel"}',
          '{"type":"claude-response","data":"lo"}',
        ].toSorted(),
      );
      expect(await opened.locator("#state").textContent()).toBe("connected");
      expect(
        await opened.locator("#pixel").evaluate((image) => (image as HTMLImageElement).naturalWidth),
      ).toBe(1);
      // Chromium tells it late.
      await expect.poll(() => opened.title(), { timeout: 10_000 }).toMatch(/^4501 .*version 1/);
      expect(client.of("user_request")[0]).toMatchObject({
        action: "claude-command",
        payload: { command: "hello", options: { projectPath: "/srv" } },
      });
      expect(client.of("user_request").some(({ action }) => action === "close")).toBe(false);

      // Its page leaves: every request is closed, and nobody is there any more.
      await opened.goto("about:blank");
      await expect
        .poll(() => client.of("user_request").filter(({ action }) => action === "close").length)
        .toBe(1);
      expect((await client.heard("pong", 2)).length).toBeGreaterThanOrEqual(2);
    },
  );

  it("says at the instance's own host where it opens", async () => {
    await connected("fork-host");
    const { viewer, base } = await viewerOf("fork-host");
    const label = new URL(base).pathname.split("/")[2] ?? "";
    const { host } = new URL(stage.hub.origin);
    const answer = await viewer.navigate(`http://${label}.${host}/`);
    expect(answer.status).toBe(501);
    expect(answer.body.toString()).toContain(`href="${base}/"`);
  });
});

describe("commands", () => {
  it(
    "refresh_status is obeyed; disconnect ends it, and it stays away however often it is started, until it is let back",
    { timeout: 60_000 },
    async () => {
      const token = await stage.hub.createToken();
      const first = start("fork-sent", token);
      await first.heard("registered");
      const { viewer, base } = await viewerOf("fork-sent");
      const act = async (action: string) => {
        const answer = await viewer.fetch(base.replace(/\/proxy$/, `/${action}`), { method: "POST" });
        expect(answer.status).toBeLessThan(400);
      };
      await act("refresh");
      expect(await first.heard("command")).toEqual([{ event: "command", command: "refresh_status" }]);
      await act("disconnect");
      await expect.poll(() => first.isOver).toBe(true);
      expect(first.of("command").at(-1)).toEqual({ event: "command", command: "disconnect" });

      for (const more of [{}, { TOKEN_IN: "message" }]) {
        const again = start("fork-sent", token, more);
        await again.heard("closed", 2);
        expect(again.of("registered")).toEqual([]);
        expect(again.isOver).toBe(false);
        await again.stop();
      }
      await stage.hub.kill();
      await stage.hub.restart();
      const last = start("fork-sent", token);
      await last.heard("closed", 2);
      expect(last.of("registered")).toEqual([]);
      await act("let-back");
      expect(await last.heard("registered")).toMatchObject([{ success: true }]);
    },
  );

  it("a token that is not good has it give up, and never stands in a log", async () => {
    const bad = "orc_NotAToken-canary-4711-canary-4711-canary-4711-canary-47";
    for (const more of [{}, { TOKEN_IN: "message" }]) {
      const client = start("fork-bad", bad, more);
      expect(await client.heard("registered")).toMatchObject([{ success: false }]);
      await expect.poll(() => client.isOver).toBe(true);
    }
    const token = await stage.hub.createToken();
    const client = start("fork-good", token);
    await client.heard("registered");
    const log = JSON.stringify(stage.hub.logs());
    expect(log).not.toContain("canary");
    expect(log).not.toContain(token.slice(4));
    expect(log).toContain("instance_connected");
  });
});
