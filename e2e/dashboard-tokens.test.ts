/** Tokens for instances, from the page and from the API: made, used, rotated, run out, revoked. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { built } from "../packages/hub/local/paths.ts";
import { answerQuestion } from "./pages/questions.ts";
import { openDashboard, type Puppet, startStage, type Stage } from "./pages/stage.ts";
import { Watch } from "./pages/watch.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

let stage: Stage;
let upstream: Upstream;
let home: string;

beforeAll(async () => {
  [stage, upstream] = await Promise.all([startStage(), startUpstream()]);
  home = await mkdtemp(join(tmpdir(), "tokens-"));
});
afterEach(async () => {
  await Promise.all([...connectors].map((connector) => connector.stop()));
  connectors.clear();
  await stage.clear();
});
afterAll(async () => {
  await Promise.all([stage.stop(), upstream.stop()]);
  await rm(home, { recursive: true, force: true });
});

it("shows a new token once; it connects an instance, and revoking it closes that within a second", async () => {
  const { page: dashboard, context } = await stage.dashboard();
  const page = await context.newPage();
  const watch = await Watch.start(page);
  await page.goto(`${stage.hub.origin}/tokens`);
  await page.fill("#token-name", "work laptop");
  await page.click("text=Make a token");
  await page.waitForURL("**/tokens/new");
  const command = await page.textContent("#new-token-command");
  const token = /orc_[\w-]+/.exec(command ?? "")?.[0] ?? "";
  expect(token).toHaveLength(53);
  const end = token.slice(-4);
  expect(await rowOf(page, "work laptop")).toBe(
    `work laptop never used · never expires · made now · ends in ${end}`,
  );
  await page.goto(`${stage.hub.origin}/tokens`);
  expect(await page.content()).not.toContain(token.slice(4, 40));

  const puppet = await stage.instance({ token });
  await dashboard.waitForSelector(`${puppet.card}[data-status=idle]`);
  await page.reload();
  expect(await rowOf(page, "work laptop")).toBe(
    `work laptop last used now by ${puppet.clientId} · never expires · made now · ends in ${end}`,
  );

  const stopped = once(puppet.client, "stopped");
  await page.click('li:has-text("work laptop") >> text=Revoke');
  const since = Date.now();
  expect(await answerQuestion(page, true)).toBe("Revoke “work laptop”? What is connected with it is closed.");
  const [{ code }] = (await stopped) as [{ code: string }];
  expect(Date.now() - since).toBeLessThan(1000);
  expect(code).toBe("token_revoked");
  await dashboard.waitForSelector(`${puppet.card}[data-state=unreachable]:has-text("its token was revoked")`);
  await expect.poll(() => page.locator('li:has-text("work laptop")').count()).toBe(0);
  await isRefused(puppet, token);
  expect(watch.complaints).toEqual([]);
});

it("revokes nothing when the question is answered with no", async () => {
  const { page } = await stage.dashboard();
  await stage.hub.createToken("kept");
  await page.goto(`${stage.hub.origin}/tokens`);
  await page.click('li:has-text("kept") >> text=Revoke');
  await answerQuestion(page, false);
  await page.reload();
  expect(await page.locator('li:has-text("kept")').count()).toBe(1);
});

it("keeps the same rules in the API", async () => {
  const { page } = await stage.dashboard();
  const made = await ask(page, "/api/tokens", "POST", { name: "by program" });
  expect(made.status).toBe(201);
  const { id, token } = made.body as { id: string; token: string };
  expect(made.body).toMatchObject({ name: "by program", hint: token.slice(-4), last_used_at: null });

  const puppet = await stage.instance({ token });
  const listed = await ask(page, "/api/tokens", "GET");
  const own = (listed.body as { tokens: { id: string }[] }).tokens.find((one) => one.id === id);
  expect(own).toMatchObject({ name: "by program", last_client_id: puppet.clientId });
  expect(JSON.stringify(listed.body)).not.toContain(token.slice(4, 40));
  await page.waitForSelector(puppet.card);

  const stopped = once(puppet.client, "stopped");
  const since = Date.now();
  expect((await ask(page, `/api/tokens/${id}`, "DELETE")).status).toBe(204);
  await stopped;
  expect(Date.now() - since).toBeLessThan(1000);
  await page.waitForSelector(`${puppet.card}[data-state=unreachable]`);
  expect((await ask(page, `/api/tokens/${id}`, "DELETE")).status).toBe(404);
  await isRefused(puppet, token);

  const past = new Date(Date.now() - 1000).toISOString();
  for (const body of [
    { name: "x", expires_at: past },
    {},
    { name: "" },
    { name: "x".repeat(81) },
    { name: 5 },
    [],
  ])
    expect((await ask(page, "/api/tokens", "POST", body)).status).toBe(400);
});

it("rotates from the page: the new command connects, the old token still does, and both can be told apart", async () => {
  const { page, watch } = await stage.dashboard();
  const old = await stage.instance({ token: await stage.hub.createToken("old desk") });
  let ended = 0;
  old.client.on("disconnected", () => ended++).on("stopped", () => ended++);
  await page.goto(`${stage.hub.origin}/tokens`);
  await page.locator('li:has-text("old desk")').getByRole("button", { name: "Rotate" }).click();
  expect(await answerQuestion(page, true)).toBe(
    "Rotate “old desk”? A new token takes its place; this one works for one more day.",
  );
  await page.waitForURL("**/rotate");
  expect(await page.textContent("#new-token p")).toBe(
    "The token in this command is shown only now. Put it in the place of the one before, which stops working in 1 d.",
  );
  const command = await page.textContent("#new-token-command");
  const token = /orc_[\w-]+/.exec(command ?? "")?.[0] ?? "";
  await stage.instance({ token });
  const before = page.locator('li:has-text("replaced")');
  expect(await before.locator("p").allTextContents()).toEqual([
    "old deskreplaced",
    expect.stringMatching(/^last used now by puppet-\d+ · expires in 1 d · made now · ends in /),
  ]);
  expect(await before.getByRole("button").allTextContents()).toEqual(["Revoke"]);
  expect(ended).toBe(0);
  // Whoever reloads the page is asked by the browser; whoever then says yes makes no third token.
  const again = await page.reload();
  expect(again?.status()).toBe(409);
  expect(await page.textContent("h1")).toBe("This token was rotated before");
  expect(watch.complaints.filter((text) => !text.includes("409"))).toEqual([]);
});

it("rotates while a connector runs: it ends when the overlap does, not before, and says why", async () => {
  const { page } = await stage.dashboard();
  const made = await ask(page, "/api/tokens", "POST", { name: "rotating" });
  const { id, token } = made.body as { id: string; token: string };
  const connector = await startConnector(token, "rotating-instance");
  const card = await cardOf(page, "rotating-instance");

  const rotatedAt = Date.now();
  const rotated = await ask(page, `/api/tokens/${id}/rotate`, "POST", { overlap_seconds: 3 });
  expect(rotated.status).toBe(201);
  const next = rotated.body as { token: string; replaced: { id: string; expires_at: string } };
  expect(next.replaced.id).toBe(id);
  const endsAt = Date.parse(next.replaced.expires_at);
  expect(endsAt - rotatedAt).toBeGreaterThan(2_500);

  expect(await connector.ended).toBe(4);
  expect(Date.now()).toBeGreaterThanOrEqual(endsAt);
  expect(Date.now()).toBeLessThan(endsAt + 1_500);
  expect(connector.output()).toMatch(/Stopped by the hub: .*token.* has expired/);
  await page.waitForSelector(`${card}[data-state=unreachable]:has-text("its token has expired")`);

  const late = await startConnector(token, "rotating-instance", false);
  expect(await late.ended).toBe(4);
  expect(late.output()).toContain("Stopped by the hub: The token has expired. Check ORCHESTRATOR_TOKEN");
  const better = await startConnector(next.token, "rotating-instance");
  await page.waitForSelector(`${card}[data-status=idle]`);
  await better.stop();
});

it("revokes while a connector runs: it ends within a second, stays away and says why", async () => {
  const { page } = await stage.dashboard();
  const made = await ask(page, "/api/tokens", "POST", { name: "leaked" });
  const { id, token } = made.body as { id: string; token: string };
  const connector = await startConnector(token, "leaked-instance");
  const card = await cardOf(page, "leaked-instance");
  const since = Date.now();
  expect((await ask(page, `/api/tokens/${id}`, "DELETE")).status).toBe(204);
  await page.waitForSelector(`${card}[data-state=unreachable]:has-text("its token was revoked")`);
  expect(Date.now() - since).toBeLessThan(1_500);
  expect(await connector.ended).toBe(4);
  expect(connector.output()).toContain(
    "Stopped by the hub: The token of this instance was revoked. Make a new token on the hub's page for tokens.",
  );
  const again = await startConnector(token, "leaked-instance", false);
  expect(await again.ended).toBe(4);
  expect(again.output()).toContain("Stopped by the hub: The token was revoked.");
});

it("ends a connection when its token runs out, and takes it no more", async () => {
  const { page } = await stage.dashboard();
  const endsAt = Date.now() + 4_000;
  const expires = new Date(endsAt).toISOString();
  const made = await ask(page, "/api/tokens", "POST", { name: "short", expires_at: expires });
  const { token } = made.body as { token: string };
  const puppet = await stage.instance({ token });
  const [{ code }] = (await once(puppet.client, "stopped")) as [{ code: string }];
  expect(code).toBe("unauthorized");
  expect(Date.now()).toBeGreaterThanOrEqual(endsAt);
  expect(Date.now()).toBeLessThan(endsAt + 1_500);
  await isRefused(puppet, token);
  await page.goto(`${stage.hub.origin}/tokens`);
  expect(await rowOf(page, "short")).toMatch(/^shortexpired last used .+ · expired now · /);
});

it("asks for a day only where one is to be chosen, and for scopes", async () => {
  const { page, watch } = await stage.dashboard();
  await page.goto(`${stage.hub.origin}/tokens`);
  expect(await page.isVisible("[name=until]")).toBe(false);
  await page.fill("#token-name", "until a day");
  await page.selectOption("[name=expires]", "date");
  expect(await page.isVisible("[name=until]")).toBe(true);
  const day = new Date(Date.now() + 40 * 86_400_000).toISOString().slice(0, 10);
  await page.fill("[name=until]", day);
  await page.selectOption("[name=scopes]", "admin");
  await page.click("text=Make a token");
  await page.waitForURL("**/tokens/new");
  expect(await page.textContent("#new-token-command")).toMatch(/^orc_[\w-]{49}$/);
  expect(await rowOf(page, "until a day")).toMatch(/^until a dayadmin never used · expires in 4[01] d · /);
  expect(watch.complaints).toEqual([]);
});

it("forgets an instance that is gone, from its card, in every window", async () => {
  const puppet = await stage.instance();
  const { page: second, context } = await stage.dashboard();
  const { page } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
  await page.click(`${puppet.card} summary`);
  await page.waitForSelector(`${puppet.card} .facts`);
  expect(await page.locator(puppet.card).getByRole("button", { name: "Forget" }).count()).toBe(0);
  await page.keyboard.press("Escape");
  await puppet.stop();
  await page.waitForSelector(`${puppet.card}[data-state=unreachable]`);
  await page.click(`${puppet.card} summary`);
  await page.locator(puppet.card).getByRole("button", { name: "Forget" }).click();
  expect(await answerQuestion(page, true)).toContain("its activity stays");
  await page.waitForSelector(puppet.card, { state: "detached" });
  await second.waitForSelector(puppet.card, { state: "detached" });
});

/** What a token's line says, without its buttons. */
async function rowOf(page: Page, name: string): Promise<string> {
  const parts = await page.locator(`li:has-text("${name}") > p`).allTextContents();
  return parts.join(" ");
}

/** Nobody comes back with this token. */
async function isRefused(puppet: Puppet, token: string): Promise<void> {
  const again = stage.puppet({ clientId: puppet.clientId, token });
  const [{ code }] = (await once(again.client, "stopped")) as [{ code: string }];
  expect(code).toBe("unauthorized");
}

/** Asks as a page of the hub does. */
function ask(
  page: Page,
  path: string,
  method: string,
  body?: unknown,
): Promise<{ status: number; body: unknown }> {
  return page.evaluate(
    async ([url, how, json]) => {
      const headers = { "content-type": "application/json" };
      const response = await fetch(url, {
        method: how,
        ...(json === undefined ? {} : { headers, body: json }),
      });
      const text = await response.text();
      return { status: response.status, body: text === "" ? null : (JSON.parse(text) as unknown) };
    },
    [path, method, body === undefined ? undefined : JSON.stringify(body)] as const,
  );
}

interface Connector {
  output(): string;
  /** Resolves to the exit code. */
  ended: Promise<number | null>;
  stop(): Promise<void>;
}

const connectors = new Set<Connector>();

/** `orchestrator connect` as people run it; resolves when it is connected, unless it is not to be. */
async function startConnector(token: string, clientId: string, connects = true): Promise<Connector> {
  const args = [built.connectorCli, "connect", "--target", upstream.target, "--client-id", clientId];
  const child = spawn(process.execPath, args, {
    env: {
      PATH: process.env["PATH"],
      HOME: home,
      ORCHESTRATOR_URL: stage.hub.origin,
      ORCHESTRATOR_TOKEN: token,
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const ended = new Promise<number | null>((resolve) => child.once("close", resolve));
  const connector: Connector = {
    output: () => output,
    ended,
    stop: async () => {
      child.kill("SIGTERM");
      await ended;
    },
  };
  connectors.add(connector);
  if (connects) await expect.poll(() => output, { timeout: 10_000 }).toContain("Connected");
  return connector;
}

/** The selector of an instance's card, once it is there. */
async function cardOf(page: Page, clientId: string): Promise<string> {
  const card = page.locator(`.card[id^="card-${clientId}-"]`);
  await card.waitFor();
  return `#${(await card.getAttribute("id")) ?? ""}`;
}
