/** Tokens for instances, from the page and from the API: made, used, revoked. */
import { once } from "node:events";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { openDashboard, type Puppet, startStage, type Stage } from "./pages/stage.ts";
import { Watch } from "./pages/watch.ts";

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.stop());

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
  expect(await rowOf(page, "work laptop")).toEqual(["work laptop", `…${token.slice(-4)}`, "now", "never"]);
  await page.goto(`${stage.hub.origin}/tokens`);
  expect(await page.content()).not.toContain(token.slice(4, 40));

  const puppet = await stage.instance({ token });
  await dashboard.waitForSelector(`${puppet.card}[data-status=idle]`);
  await page.reload();
  expect((await rowOf(page, "work laptop"))[3]).toBe("now");

  const stopped = once(puppet.client, "stopped");
  const asked: string[] = [];
  page.on("dialog", (dialog) => {
    asked.push(dialog.message());
    dialog.accept().catch(String);
  });
  const since = Date.now();
  await page.click('tr:has-text("work laptop") >> text=Revoke');
  const [{ code }] = (await stopped) as [{ code: string }];
  expect(Date.now() - since).toBeLessThan(1000);
  expect(code).toBe("token_revoked");
  expect(asked).toEqual(["Revoke “work laptop”? What is connected with it is closed."]);
  await dashboard.waitForSelector(`${puppet.card}[data-state=unreachable]:has-text("its token was revoked")`);
  await expect.poll(() => page.locator('tr:has-text("work laptop")').count()).toBe(0);
  await isRefused(puppet, token);
  expect(watch.complaints).toEqual([]);
});

it("revokes nothing when the question is answered with no", async () => {
  const { page } = await stage.dashboard();
  await stage.hub.createToken("kept");
  await page.goto(`${stage.hub.origin}/tokens`);
  page.on("dialog", (dialog) => dialog.dismiss().catch(String));
  await page.click('tr:has-text("kept") >> text=Revoke');
  await page.reload();
  expect(await page.locator('tr:has-text("kept")').count()).toBe(1);
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

  for (const body of [{}, { name: "" }, { name: "x".repeat(81) }, { name: 5 }, []])
    expect((await ask(page, "/api/tokens", "POST", body)).status).toBe(400);
});

it("forgets an instance that is gone, from its card, in every window", async () => {
  const puppet = await stage.instance();
  const { page: second, context } = await stage.dashboard();
  const { page } = await openDashboard(context, `${stage.hub.origin}/dashboard`);
  await page.click(`${puppet.card} summary`);
  await page.waitForSelector(`${puppet.card} .facts`);
  expect(await page.locator(`${puppet.card} >> text=Forget this instance`).count()).toBe(0);
  await page.keyboard.press("Escape");
  await puppet.stop();
  await page.waitForSelector(`${puppet.card}[data-state=unreachable]`);
  await page.click(`${puppet.card} summary`);
  await page.click(`${puppet.card} >> text=Forget this instance`);
  await page.waitForSelector(puppet.card, { state: "detached" });
  await second.waitForSelector(puppet.card, { state: "detached" });
});

/** The cells of a token's row, without the last. */
async function rowOf(page: Page, name: string): Promise<string[]> {
  const cells = await page.locator(`tr:has-text("${name}") > *`).allTextContents();
  return cells.slice(0, 4);
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
      const answer = await fetch(url, {
        method: how,
        ...(json === undefined ? {} : { headers, body: json }),
      });
      const text = await answer.text();
      return { status: answer.status, body: text === "" ? null : (JSON.parse(text) as unknown) };
    },
    [path, method, body === undefined ? undefined : JSON.stringify(body)] as const,
  );
}
