/** Setting a hub up for GitHub, from the printed link to a signed-in administrator, in real Chromium. */
import { afterAll, beforeAll, expect, it } from "vitest";
import {
  cookieNames,
  decideAtGitHub,
  historyOf,
  signInWithGitHub,
  startGitHubStage,
  type GitHubStage,
} from "./stage.ts";

let stage: GitHubStage;

beforeAll(async () => {
  stage = await startGitHubStage((github) => {
    github.addUser("ann");
    github.addUser("eve");
    const acme = github.addOrganization("acme");
    github.join("acme", "ann");
    github.join("acme", "eve");
    const { url, apiUrl } = github;
    return {
      GITHUB_SIGN_IN: "enabled",
      GITHUB_URL: url,
      GITHUB_API_URL: apiUrl,
      ALLOWED_ORGS: `acme:${acme.id}`,
    };
  });
});
afterAll(() => stage.stop());

it("makes the App at GitHub, installs it, lets its maker administer the hub, and closes", async () => {
  const { hub, github } = stage;
  const { page, context, watch } = await stage.visitor();
  await page.goto(`${hub.origin}/auth/sign-in`);
  expect(await page.textContent("main")).toContain("Open the setup link");
  await page.goto(`${hub.origin}/setup`);
  expect(await page.textContent("h1")).toBe("This link no longer works");

  const link = await hub.setupLink();
  await page.goto(link);
  await page.getByRole("button", { name: "Begin" }).click();
  await page.waitForURL(`${hub.origin}/setup`);
  await page.getByLabel("Organisation that owns the App").fill("acme");
  await page.getByRole("button", { name: "Continue" }).click();
  expect(await page.textContent("dl")).toContain("acme");
  await page.getByRole("button", { name: "Make it at GitHub" }).click();
  await page.waitForURL(`${github.url}/organizations/acme/settings/apps/new?*`);
  await page.selectOption("select[name=user]", "ann");
  await page.getByRole("button", { name: "Create GitHub App" }).click();

  await page.waitForURL(`${hub.origin}/setup`);
  expect(await page.textContent("h1")).toBe("Two steps are left");
  expect(await historyOf(page)).not.toContain("/setup/created");
  const [install] = await Promise.all([
    context.waitForEvent("page"),
    page.getByRole("link", { name: "Install it at GitHub" }).click(),
  ]);
  await install.getByRole("button", { name: "Install" }).click();
  // GitHub sends people on to the hub, which knows what is left to do.
  await install.waitForURL(`${hub.origin}/auth/sign-in?*`);
  await install.close();

  await page.getByRole("link", { name: "Sign in with GitHub" }).click();
  await decideAtGitHub(page, "ann");
  await page.waitForURL(`${hub.origin}/access`);
  expect(await page.textContent("main")).toContain("ann");
  expect(await cookieNames(context)).not.toContain("__Host-orchestrator-setup");
  expect(await historyOf(page)).not.toContain("/auth/github/callback");

  expect((await page.goto(`${hub.origin}/setup`))?.status()).toBe(404);
  expect((await page.goto(link))?.status()).toBe(404);
  expect(await hub.setupLink()).toBe("");

  // Who belongs gets in by the new App, and administers nothing.
  const other = await stage.visitor();
  await signInWithGitHub(other, hub, "eve");
  expect(await other.page.getAttribute("text=Sign out", "title")).toBe("Signed in as eve");
  expect((await other.page.goto(`${hub.origin}/access`))?.status()).toBe(403);

  // All of it is kept.
  await hub.restart();
  await signInWithGitHub(await stage.visitor(), hub, "eve");
  const unwanted = [...watch.complaints, ...other.watch.complaints].filter(
    (text) => !/status of 40[134]/.test(text),
  );
  expect(unwanted).toEqual([]);
  expect(github.unknown).toEqual([]);
});
