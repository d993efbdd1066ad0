/** Who gets in, by an administrator's hand: the pages with and without scripts, and the command line. */
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import path from "node:path";
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { noteRun } from "../packages/hub/local/run-record.ts";
import { MARKUP } from "../packages/hub/test/corpora/markup.ts";
import { startStage, type Stage } from "./pages/stage.ts";

const REPOSITORY = path.resolve(import.meta.dirname, "..");
const WIDTHS = [390, 768, 1440];

let stage: Stage;

beforeAll(async () => {
  stage = await startStage();
});
afterEach(() => stage.clear());
afterAll(() => stage.stop());

/** Removes everything that a test before has let in. */
beforeEach(async () => {
  const { answer } = await access("list", "--json");
  const { entities } = JSON.parse(answer) as { entities: { kind: string; id: number }[] };
  for (const { kind, id } of entities) await access("remove", kind, String(id));
});

interface Ended {
  code: number;
  answer: string;
  complaint: string;
}

/** `npm run access -- …`, against the stage's hub unless the environment says otherwise. */
async function access(...argv: string[]): Promise<Ended> {
  const token = await readFile(path.join(stage.hub.stateFolder, "admin-token"), "utf8");
  return accessIn({ ORCHESTRATOR_URL: stage.hub.origin, ORCHESTRATOR_ADMIN_TOKEN: token.trim() }, ...argv);
}

function accessIn(environment: NodeJS.ProcessEnv, ...argv: string[]): Promise<Ended> {
  const script = "packages/hub/admin/main.ts";
  const options = { cwd: REPOSITORY, env: { PATH: process.env["PATH"], ...environment } };
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      ["--conditions=source", script, ...argv],
      options,
      (_error, answer, complaint) => {
        resolve({ code: child.exitCode ?? -1, answer, complaint });
      },
    );
  });
}

function kindOf(id: number): string {
  return id % 2 === 0 ? "team" : "user";
}

/** The status of what a page of the hub asks for. */
function ask(page: Page, method: string, url: string, body?: unknown): Promise<number> {
  const init = { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) };
  return page.evaluate(async ([address, how]) => (await fetch(address, how)).status, [url, init] as const);
}

async function rows(page: Page): Promise<string[]> {
  return page.locator("#entities b").allTextContents();
}

/** Lets in and removes by the pages alone; the same with scripts and without. */
async function walk(page: Page): Promise<void> {
  await page.click(`nav >> text=Access`);
  await page.waitForSelector("h2:has-text('Nobody gets in')");

  await page.selectOption("#add-kind", "organization");
  await page.fill("#add-name", "acme");
  await page.click("#add-form button");
  await page.waitForSelector('[role=alert][data-code="bad_request"]:has-text("numeric id")');
  expect(await page.inputValue("#add-name")).toBe("acme");

  await page.fill("#add-name", "acme:9919");
  await page.selectOption("#add-role", "admin");
  await page.click("#add-form button");
  await page.waitForURL("**/access#organization-9919");
  expect(await page.textContent("#organization-9919 p")).toBe("acmeadministrator");
  expect(await page.locator("h2:has-text('Nobody gets in')").count()).toBe(0);

  await page.fill("#why-user", "octocat");
  await page.click("#why-form button");
  await page.waitForSelector(
    '[data-answer=stranger]:has-text("Nobody called octocat has tried to sign in here")',
  );
  await page.fill("#why-user", "local");
  await page.click("#why-form button");
  await page.waitForSelector('[data-answer=in]:has-text("always gets in")');

  await page.click("text=Access >> nth=0");
  await page.click("#organization-9919 >> text=Remove…");
  await page.waitForSelector("h1:has-text('Remove organisation acme from the allow-list?')");
  await page.click("text=Cancel");
  await page.waitForSelector("#organization-9919");
  await page.click("#organization-9919 >> text=Remove…");
  await page.click("button:text-is('Remove')");
  await page.waitForSelector("h2:has-text('Nobody gets in')");

  await page.click("text=audit log");
  await page.selectOption("#audit-action", "policy_removed");
  await page.fill("#audit-person", "LOCAL");
  await page.click("#audit-filter button");
  await page.waitForURL("**/audit?action=policy_removed&person=LOCAL");
  const [newest = ""] = await page.locator("#audit li").allTextContents();
  expect(newest).toContain("local removed from the allow-list");
  expect(newest).toContain("organization acme (9919) · admin");
  const times = await page.locator("#audit time").first().getAttribute("datetime");
  expect(Date.now() - Date.parse(times ?? "")).toBeLessThan(60_000);
}

it("lets in, explains, removes and logs, and asks before it removes", async () => {
  const { page, watch } = await stage.dashboard();
  await walk(page);
  // The one refusal, as Chromium says it.
  expect(watch.complaints.filter((text) => !text.includes("status of 400"))).toEqual([]);
});

it("does the same without scripts", async () => {
  const context = await stage.profile({ javaScriptEnabled: false });
  const page = await context.newPage();
  await page.goto(await stage.hub.signInLink());
  await walk(page);
});

it("shows forty lines and hostile words at every width without a scroll to the side", async () => {
  const { page, watch } = await stage.dashboard();
  const show = async (address: string, width: number) => {
    await page.setViewportSize({ width, height: 900 });
    await page.goto(`${stage.hub.origin}${address}`);
    const wider = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    expect([address, width, wider]).toEqual([address, width, 0]);
  };
  const forty = Array.from({ length: 40 }, (_, index) => index + 1);
  const added = forty.map((id) => {
    const name = id % 2 === 0 ? `long-${"x".repeat(id)}/team-${"y".repeat(id)}:${id}` : `person-${id}:${id}`;
    const body = { kind: kindOf(id), name, role: id % 3 === 0 ? "admin" : "member" };
    return ask(page, "POST", "/api/access", body);
  });
  expect(new Set(await Promise.all(added))).toEqual(new Set([201]));
  for (const width of WIDTHS) {
    await show("/access", width);
    expect(await rows(page)).toHaveLength(40);
    await show("/audit", width);
  }
  for (const text of Object.values(MARKUP)) {
    // Halves of characters do not fit into a URL.
    const user = Buffer.from(text).toString().slice(0, 100);
    await show(`/access/why?user=${encodeURIComponent(Buffer.from(user).toString())}`, 390);
  }
  const removed = forty.map((id) => ask(page, "DELETE", `/api/access/${kindOf(id)}/${id}`));
  expect(new Set(await Promise.all(removed))).toEqual(new Set([204]));

  await show("/audit?person=local", 768);
  expect(await page.locator("#audit li").count()).toBe(50);
  await page.click("text=Older");
  await page.waitForURL(/person=local&before=\d+/);
  await page.click("text=Newest");
  await page.waitForURL("**/audit?person=local");
  expect(watch.complaints).toEqual([]);
});

describe("the command line", () => {
  it("lets in, lists, explains, removes and reads the log", async () => {
    expect((await access("list")).answer).toContain("Nobody gets in");
    const added = await access("add", "org", "acme:9919", "--role", "admin");
    expect([added.code, added.answer]).toEqual([0, "Let in: organisation acme (9919), as administrator.\n"]);
    await access("add", "team", "acme/core:4567");
    const [first, second] = (await access("list")).answer.split("\n");
    expect(first).toMatch(/^organisation {2}acme {7}9919 {2}administrator {2}by local, \d{4}-\d\d-\d\d$/);
    expect(second).toMatch(/^team {10}acme\/core {2}4567 {2}member {9}by local/);
    expect((await access("why", "octocat")).answer).toContain(
      "Nobody called octocat has tried to sign in here.",
    );
    expect((await access("why", "local")).answer).toContain("always gets in, as administrator");
    expect((await access("remove", "organization", "ACME")).answer).toBe(
      "Removed: organisation acme (9919).\n",
    );
    expect((await access("remove", "team", "acme/core:4567")).code).toBe(0);
    const log = (await access("audit", "--limit", "2")).answer.split("\n");
    expect(log[0]).toMatch(
      /^\d{4}-\d\d-\d\d \d\d:\d\d {2}local removed from the allow-list team acme\/core \(4567\), member$/,
    );
    expect(log[1]).toContain("organization acme (9919), admin");
    expect(log[2]).toMatch(/^Older ones: --before \d+$/);
  });

  it("removes nobody where a name or number means several", async () => {
    // A login may have passed from one person to another, and may look like an id.
    for (const written of ["octocat:583231", "octocat:583232", "583232:583233"])
      expect((await access("add", "user", written)).code).toBe(0);
    for (const meant of ["octocat", "583232"]) {
      const refused = await access("remove", "user", meant);
      expect([refused.code, refused.answer]).toEqual([2, ""]);
      expect(refused.complaint).toContain("octocat:583232");
    }
    expect((await access("remove", "user", "octocat:583232")).answer).toBe(
      "Removed: person octocat (583232).\n",
    );
    expect((await access("remove", "user", "OctoCat")).answer).toBe("Removed: person octocat (583231).\n");
  });

  it("answers programs in JSON", async () => {
    await access("add", "user", "octocat:583231");
    const { entities } = JSON.parse((await access("list", "--json")).answer) as { entities: unknown[] };
    expect(entities).toMatchObject([{ kind: "user", id: 583_231, name: "octocat", role: "member" }]);
    const why = JSON.parse((await access("why", "octocat", "--json")).answer) as object;
    expect(why).toMatchObject({ people: [], named: [{ id: 583_231 }], policy_empty: false });
  });

  it("says what is wrong and ends with a code that says where", async () => {
    const refused = await access("add", "organization", "acme");
    expect([refused.code, refused.answer]).toEqual([4, ""]);
    expect(refused.complaint).toContain("numeric id");
    expect((await access("remove", "team", "acme/core")).code).toBe(4);
    for (const argv of [
      ["forgive"],
      ["add", "acme"],
      ["why"],
      ["list", "--role", "admin"],
      ["add", "--role"],
    ])
      expect([argv, (await access(...argv)).code]).toEqual([argv, 2]);
    const url = stage.hub.origin;
    const unknown = await accessIn({ ORCHESTRATOR_URL: url, ORCHESTRATOR_ADMIN_TOKEN: "orc_x" }, "list");
    expect([unknown.code, unknown.complaint]).toEqual([
      4,
      expect.stringContaining("does not take this token") as string,
    ]);
    expect((await accessIn({ ORCHESTRATOR_URL: url }, "list")).code).toBe(2);
    const plain = { ORCHESTRATOR_URL: "http://example.com", ORCHESTRATOR_ADMIN_TOKEN: "orc_x" };
    expect((await accessIn(plain, "list")).code).toBe(2);
    const nobody = { ORCHESTRATOR_URL: "http://127.0.0.1:9", ORCHESTRATOR_ADMIN_TOKEN: "orc_x" };
    expect((await accessIn(nobody, "list")).code).toBe(3);
    expect((await accessIn({ ORCHESTRATOR_STATE: "/nowhere" }, "list")).code).toBe(3);
    expect((await accessIn({}, "--help")).answer).toContain("npm run access -- why");
  });

  it("takes a token for instances for what it is", async () => {
    const token = await stage.hub.createToken();
    const asked = await accessIn(
      { ORCHESTRATOR_URL: stage.hub.origin, ORCHESTRATOR_ADMIN_TOKEN: token },
      "list",
    );
    expect([asked.code, asked.complaint]).toEqual([4, expect.stringContaining("admin_required") as string]);
  });

  it("finds the hub of this machine, and its token, by itself", async () => {
    noteRun(stage.hub.stateFolder, stage.hub.port);
    const { code, answer } = await accessIn({ ORCHESTRATOR_STATE: stage.hub.stateFolder }, "why", "octocat");
    expect([code, answer]).toEqual([0, expect.stringContaining("octocat") as string]);
  });
});
