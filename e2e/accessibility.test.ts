/** Eyes of every kind: axe finds nothing on any page in any state, wide and narrow, light and dark. */
import type { Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startGitHubStage, type GitHubStage } from "./github/stage.ts";
import { axeFindings } from "./pages/axe.ts";
import { session, startStage, type Dashboard, type Puppet, type Stage } from "./pages/stage.ts";
import { startUpstream, type Upstream } from "./tunnel/upstream.ts";

const STATES = ["needs_permission", "needs_answer", "failed", "done", "working", "idle"] as const;

/** Each look at a page takes axe about a second. */
const PATIENCE_MS = 120_000;

let stage: Stage;
let upstream: Upstream;
let dashboard: Dashboard;
let page: Page;
let gone: Puppet;

const goTo = (path: string) => page.goto(stage.hub.origin + path);

beforeAll(async () => {
  [stage, upstream] = await Promise.all([startStage(), startUpstream()]);
  dashboard = await stage.dashboard();
  ({ page } = dashboard);
});
afterAll(async () => {
  expect(dashboard.watch.complaints.filter((text) => text.startsWith("CSP"))).toEqual([]);
  await stage.stop();
  await upstream.stop();
});

it("notices what is wrong", async () => {
  await goTo("/offline");
  await page.evaluate(() => document.querySelector("main")?.append(document.createElement("input")));
  expect((await axeFindings(page)).filter((finding) => finding.includes(": label at input"))).toHaveLength(4);
});

describe("before there is anything", { timeout: PATIENCE_MS }, () => {
  it.each(["/dashboard", "/tokens", "/activity", "/audit", "/access", "/usage"])("%s", async (path) => {
    await goTo(path);
    expect(await axeFindings(page)).toEqual([]);
  });
});

describe("the dashboard", { timeout: PATIENCE_MS }, () => {
  it("with one instance", async () => {
    gone = await stage.instance({ sessions: [session("working")] });
    await goTo("/dashboard");
    await page.waitForSelector(`${gone.card}[data-state=working]`);
    expect(await axeFindings(page)).toEqual([]);
  });

  it("with every state, by status, machine and project", async () => {
    await gone.stop();
    const token = await stage.hub.createToken("laptop");
    for (const [index, state] of STATES.entries()) {
      const { target } = upstream;
      await stage.instance({ token, target, hostname: `host-${index % 2}`, sessions: [session(state)] });
    }
    const away = await stage.instance({ token, sessions: [session("working")] });
    await goTo("/dashboard");
    await page.evaluate((path) => fetch(path, { method: "POST" }), `/clients/${away.label}/disconnect`);
    for (const group of ["status", "machine", "project"]) {
      await goTo(`/dashboard?group=${group}`);
      await page.waitForSelector(`${gone.card}[data-state=unreachable]`);
      await page.waitForSelector(`${away.card}[data-state=unreachable]`);
      expect([group, await axeFindings(page)]).toEqual([group, []]);
    }
    await goTo("/dashboard?group=status");
  });

  it("with a filter, and with one that nothing passes", async () => {
    await page.locator("#counts button").first().click();
    expect(await axeFindings(page)).toEqual([]);
    await page.fill("#search", "nothing is called so");
    expect(await axeFindings(page)).toEqual([]);
    await page.fill("#search", "");
    await page.locator("#counts button").first().click();
  });

  it("with details open", async () => {
    await page.click(`.card[data-state=needs_permission] summary`);
    await page.waitForSelector(".card .details");
    expect(await axeFindings(page)).toEqual([]);
    await page.keyboard.press("Escape");
  });

  it("with each dialog open", async () => {
    const dialogs: [id: string, open: () => Promise<void>][] = [
      ["palette", () => page.keyboard.press("Control+k")],
      ["help", () => page.keyboard.press("?")],
      ["rename", () => onCard(gone, "e")],
      ["confirm", () => onCard(gone, "f")],
    ];
    for (const [id, open] of dialogs) {
      await open();
      await page.waitForSelector(`#${id}[open]`);
      if (id === "palette") await page.waitForSelector("#palette-list > li");
      expect([id, await axeFindings(page)]).toEqual([id, []]);
      await page.keyboard.press("Escape");
      await page.waitForSelector(`#${id}:not([open])`, { state: "attached" });
    }
  });

  it("with notices of what was done and of what was refused", async () => {
    await onCard(gone, "e");
    await page.fill("#rename input", "Another name");
    await page.keyboard.press("Enter");
    await page.waitForSelector(`${gone.card} .card-title:has-text("Another name")`);
    await page.route("**/refresh", (route) => route.fulfill({ status: 500, body: "" }));
    await onCard(gone, "r");
    await page.waitForSelector("#alerts > *");
    expect(await axeFindings(page)).toEqual([]);
    await page.unroute("**/refresh");
  });

  it("with forty instances", async () => {
    const token = await stage.hub.createToken("forty");
    await Promise.all(
      Array.from({ length: 33 }, (_, index) =>
        stage.instance({ token, sessions: [session(STATES[index % STATES.length] ?? "idle")] }),
      ),
    );
    await goTo("/dashboard");
    expect(await page.locator(".card").count()).toBeGreaterThanOrEqual(40);
    expect(await axeFindings(page)).toEqual([]);
  });
});

/** Presses a key on a card. */
async function onCard({ card }: Puppet, key: string): Promise<void> {
  await page.locator(`${card} :is(a, button)`).first().focus();
  await page.keyboard.press(key);
}

describe("other pages", { timeout: PATIENCE_MS }, () => {
  it.each([
    "/tokens",
    "/pair",
    "/pair?code=no-code",
    "/sessions",
    "/access",
    "/usage",
    "/audit",
    "/settings",
    "/activity",
    "/health",
    "/offline",
    "/nothing-here",
  ])("%s", async (path) => {
    await goTo(path);
    expect(await axeFindings(page)).toEqual([]);
  });

  it("an instance's own page, connected and gone", async () => {
    await goTo("/dashboard");
    const label = await page
      .locator(".card[data-state=needs_answer]")
      .first()
      .evaluate(({ id }) => id.slice(5));
    for (const one of [label, gone.label]) {
      await goTo(`/clients/${one}`);
      await page.waitForSelector("#report-heading");
      expect([one, await axeFindings(page)]).toEqual([one, []]);
    }
    await goTo(`/clients/${label}/path`);
    expect(await axeFindings(page)).toEqual([]);
  });

  it("a new token, shown once", async () => {
    await goTo("/tokens");
    await page.fill("#token-name", "laptop");
    await page.click("#token-form button[type=submit], #token-form button:not([type])");
    await page.waitForSelector("#new-token [data-copy]");
    expect(await axeFindings(page)).toEqual([]);
  });

  it("an instance that is not there, and one that one may not see", async () => {
    await page.goto(gone.origin);
    expect(await axeFindings(page)).toEqual([]);
    await goTo("/clients/nobody-abcdefghij");
    expect(await axeFindings(page)).toEqual([]);
  });

  it("signing in, and a link that no longer works", async () => {
    const context = await stage.profile();
    const visitor = await context.newPage();
    await visitor.goto(`${stage.hub.origin}/dashboard`);
    expect(await axeFindings(visitor)).toEqual([]);
    await visitor.goto(`${stage.hub.origin}/auth/local?code=${"x".repeat(43)}`);
    expect(await axeFindings(visitor)).toEqual([]);
  });
});

describe("in an instance's page", { timeout: PATIENCE_MS }, () => {
  it("the mark, its panel and the frame in it", async () => {
    const shown = await dashboard.context.newPage();
    // What is inside a closed shadow root nobody can look at from outside, axe included.
    await shown.addInitScript(() => {
      const attach = Reflect.get(Element.prototype, "attachShadow");
      Element.prototype.attachShadow = function (init) {
        return attach.call(this, { ...init, mode: "open" });
      };
    });
    const { origin } = await stage.instance({ target: upstream.target });
    await shown.goto(`${origin}/page`);
    const mark = shown.locator("orchestrator-mark");
    await mark.locator(".tab").waitFor();
    expect(await axeFindings(shown, "orchestrator-mark")).toEqual([]);
    await mark.locator(".tab").click();
    const handle = await mark.locator("iframe").elementHandle();
    const frame = await handle?.contentFrame();
    if (!frame) throw new Error("The mark shows no frame.");
    await frame.waitForSelector("main, [role=listbox], #palette-list");
    expect(await axeFindings(shown, "orchestrator-mark")).toEqual([]);
    expect(await axeFindings(shown, frame)).toEqual([]);
    await shown.close();
  });
});

describe("with GitHub", { timeout: PATIENCE_MS }, () => {
  let withGitHub: GitHubStage;

  beforeAll(async () => {
    withGitHub = await startGitHubStage((github) => {
      github.addUser("ann");
      const acme = github.addOrganization("acme");
      const { url, apiUrl } = github;
      return {
        GITHUB_SIGN_IN: "enabled",
        GITHUB_URL: url,
        GITHUB_API_URL: apiUrl,
        ALLOWED_ORGS: `acme:${acme.id}`,
      };
    });
  });
  afterAll(() => withGitHub.stop());

  it("signing in, and each page of setup", async () => {
    const { hub } = withGitHub;
    const visitor = (await withGitHub.visitor()).page;
    await visitor.goto(`${hub.origin}/auth/sign-in`);
    expect(await axeFindings(visitor)).toEqual([]);
    await visitor.goto(await hub.setupLink());
    expect(await axeFindings(visitor)).toEqual([]);
    await visitor.getByRole("button", { name: "Begin" }).click();
    await visitor.waitForURL(`${hub.origin}/setup`);
    expect(await axeFindings(visitor)).toEqual([]);
    await visitor.getByLabel("Organisation that owns the App").fill("acme");
    await visitor.getByRole("button", { name: "Continue" }).click();
    await visitor.waitForSelector("dl");
    expect(await axeFindings(visitor)).toEqual([]);
  });
});

describe("without the hub", { timeout: PATIENCE_MS }, () => {
  it("a dashboard that was open", async () => {
    await goTo("/dashboard");
    await page.waitForFunction(() => document.body.dataset["told"] !== undefined);
    await stage.hub.kill();
    await page.waitForSelector("#not-connected:not([hidden])");
    expect(await axeFindings(page)).toEqual([]);
  });
});
