/** Signing in with GitHub as people at a browser meet it: the built hub, real Chromium, and a strict fake GitHub in between. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import {
  cookieNames,
  decideAtGitHub,
  historyOf,
  signInWithGitHub,
  startGitHubStage,
  type GitHubStage,
  type Visitor,
} from "./stage.ts";
import { signOut } from "../pages/account.ts";

const SESSION = "__Host-orchestrator-session";

let stage: GitHubStage;
const visitors: Visitor[] = [];

/** Everybody is in `acme` unless a test says otherwise; who may use the hub stands in its settings. */
async function start(): Promise<void> {
  stage = await startGitHubStage((github, settings) => {
    const acme = github.addOrganization("acme");
    const beta = github.addOrganization("beta");
    const core = github.addTeam("beta", "core");
    github.addUser("ann", "Ann <b>bold</b>");
    github.addUser("tom");
    github.addUser("eve");
    const octocat = github.addUser("octocat");
    for (const { login } of [acme, beta]) github.install(login);
    return {
      ...settings,
      ALLOWED_ORGS: `acme:${acme.id}`,
      ALLOWED_TEAMS: `beta/core:${core.id}`,
      ALLOWED_USERS: `octocat:${octocat.id}`,
    };
  });
}

async function visitor(): Promise<Visitor> {
  const made = await stage.visitor();
  visitors.push(made);
  return made;
}

/** Follows a link by its words. */
function link({ page }: Visitor, name: string): Promise<void> {
  return page.getByRole("link", { name, exact: true }).click();
}

/** What browsers say of pages whose status is an error is no complaint about them. */
function complaints({ watch }: Visitor): string[] {
  return watch.complaints.filter((text) => !/status of [45]\d\d/.test(text));
}

afterEach(async () => {
  for (const one of visitors) expect(complaints(one)).toEqual([]);
  await Promise.all(visitors.splice(0).map(({ context }) => context.close()));
  stage.github.outage = "none";
  expect(stage.github.unknown).toEqual([]);
});

describe("who belongs", () => {
  beforeAll(start);
  afterAll(() => stage.stop());

  it("signs in by an organisation, and GitHub's code stays nowhere", async () => {
    stage.github.join("acme", "ann");
    const person = await visitor();
    await person.page.goto(`${stage.hub.origin}/tokens`);
    expect(new URL(person.page.url()).pathname).toBe("/auth/sign-in");
    await link(person, "Sign in with GitHub");
    await decideAtGitHub(person.page, "ann");
    // Where they wanted to go.
    await person.page.waitForURL(`${stage.hub.origin}/tokens`);
    expect(await person.page.getAttribute("text=Sign out", "title")).toBe("Signed in as ann");
    expect(await cookieNames(person.context)).toContain(SESSION);
    const codes = person.watch.requests.flatMap(
      (line) => /[?&](?:code|state)=([^&]+)/g.exec(line)?.[1] ?? [],
    );
    expect(codes.length).toBeGreaterThan(0);
    const seen = `${await historyOf(person.page)}\n${JSON.stringify(stage.hub.logs())}`;
    // GitHub's own address has the state in it, as it must; the hub's have neither.
    const hubs = seen.split("\n").filter((line) => !line.startsWith(stage.github.url));
    for (const code of codes) expect(hubs.join("\n")).not.toContain(code);
  });

  it("signs in by a team and by a user's id, and knows one from the other", async () => {
    stage.github.join("beta", "tom");
    stage.github.joinTeam("beta", "core", "tom");
    for (const login of ["tom", "octocat"]) {
      const person = await visitor();
      await signInWithGitHub(person, stage.hub, login);
      expect(await person.page.getAttribute("text=Sign out", "title")).toBe(`Signed in as ${login}`);
    }
  });

  it("signs in though the organisation, the team and they themselves have other names now", async () => {
    stage.github.rename("acme", "emca");
    stage.github.renameTeam("beta", "core", "kernel");
    stage.github.rename("octocat", "octopus");
    for (const login of ["ann", "tom", "octopus"]) {
      const person = await visitor();
      await signInWithGitHub(person, stage.hub, login);
      expect(await person.page.getAttribute("text=Sign out", "title")).toBe(`Signed in as ${login}`);
    }
    // And whoever takes the former name gains nothing by it.
    stage.github.addUser("octocat");
    stage.github.addOrganization("acme");
    stage.github.install("acme");
    stage.github.join("acme", "octocat");
    const heir = await visitor();
    await signInWithGitHub(heir, stage.hub, "octocat");
    expect(await heir.page.textContent("h1")).toBe("This hub is not open to you");
    stage.github.rename("octocat", "heir");
    stage.github.rename("acme", "other");
    stage.github.rename("octopus", "octocat");
    stage.github.rename("emca", "acme");
    stage.github.renameTeam("beta", "kernel", "core");
  });

  it("is not asked twice by GitHub, and signs out and in again by two clicks", async () => {
    const person = await visitor();
    await signInWithGitHub(person, stage.hub, "ann");
    await signOut(person.page);
    await person.page.waitForURL("**/auth/sign-in");
    await link(person, "Sign in with GitHub");
    await person.page.waitForURL("**/dashboard");
  });

  it("uses another account where the first does not get in", async () => {
    const person = await visitor();
    await signInWithGitHub(person, stage.hub, "eve");
    expect(await person.page.textContent("main")).toContain("You signed in at GitHub as eve");
    await link(person, "Use another account");
    await decideAtGitHub(person.page, "ann");
    await person.page.waitForURL("**/dashboard");
    expect(await person.page.getAttribute("text=Sign out", "title")).toBe("Signed in as ann");
  });

  it("goes back and reloads without harm", async () => {
    const person = await visitor();
    await signInWithGitHub(person, stage.hub, "ann");
    await person.page.goBack();
    await person.page.goForward();
    await person.page.reload();
    expect(new URL(person.page.url()).pathname).toBe("/dashboard");
  });
});

describe("who does not", () => {
  beforeAll(start);
  afterAll(() => stage.stop());
  beforeEach(() => {
    for (const organization of ["acme", "beta"]) {
      stage.github.leave(organization, "eve");
      stage.github.install(organization);
      stage.github.requireSso(organization, false);
    }
  });

  /** What the page that eve ends at says, and where its first button leads. */
  async function refusal(person: Visitor) {
    const { page, context } = person;
    expect(page.url()).toBe(`${stage.hub.origin}/auth/github/callback`);
    expect(await cookieNames(context)).not.toContain(SESSION);
    const button = page.locator("main a.button").first();
    return {
      heading: await page.textContent("h1"),
      text: (await page.textContent("main")) ?? "",
      button: (await button.count()) === 0 ? null : await button.getAttribute("href"),
    };
  }

  it("is told that they do not belong, as whom, and stays out", async () => {
    const person = await visitor();
    await signInWithGitHub(person, stage.hub, "eve");
    expect(await refusal(person)).toEqual({
      heading: "This hub is not open to you",
      text: expect.stringContaining("as eve") as string,
      button: "/auth/github?account=other",
    });
    await person.page.reload();
    expect((await refusal(person)).heading).toBe("This hub is not open to you");
    await person.page.goto(`${stage.hub.origin}/dashboard`);
    expect(new URL(person.page.url()).pathname).toBe("/auth/sign-in");
  });

  it("accepts their invitation first", async () => {
    stage.github.join("acme", "eve", "pending");
    const person = await visitor();
    await signInWithGitHub(person, stage.hub, "eve");
    expect(await refusal(person)).toEqual({
      heading: "Accept your invitation first",
      text: expect.stringContaining("eve is invited to acme") as string,
      button: `${stage.github.url}/orgs/acme/invitation`,
    });
    stage.github.join("acme", "eve");
    await link(person, "Sign in again");
    await person.page.waitForURL("**/dashboard");
  });

  it("starts a single sign-on session at GitHub and then gets in", async () => {
    stage.github.join("acme", "eve");
    stage.github.requireSso("acme", true);
    const person = await visitor();
    await signInWithGitHub(person, stage.hub, "eve");
    const shown = await refusal(person);
    expect(shown.heading).toBe("Start your organisation's single sign-on first");
    expect(shown.button).toMatch(new RegExp(`^${stage.github.url}/orgs/acme/sso\\?`));
    await link(person, "Start the session");
    await person.page.selectOption("select[name=user]", "eve");
    await person.page.getByRole("button", { name: "Continue" }).click();
    await person.page.goto(`${stage.hub.origin}/auth/github/callback`);
    await link(person, "Sign in again");
    await person.page.waitForURL("**/dashboard");
  });

  it("learns that the App is not installed", async () => {
    stage.github.join("acme", "eve");
    stage.github.uninstall("acme");
    const person = await visitor();
    await signInWithGitHub(person, stage.hub, "eve");
    const shown = await refusal(person);
    expect(shown.heading).toBe("The GitHub App is not installed there");
    expect(shown.text).toContain("who belongs to acme");
  });

  it("cancels", async () => {
    const person = await visitor();
    await person.page.goto(`${stage.hub.origin}/auth/github`);
    await decideAtGitHub(person.page, "eve", "Cancel");
    await person.page.waitForURL("**/auth/github/callback");
    expect((await refusal(person)).heading).toBe("Sign-in cancelled");
  });

  it.each(["down", "500", "slow"] as const)("waits for a GitHub that is %s", async (outage) => {
    const person = await visitor();
    await person.page.goto(`${stage.hub.origin}/auth/github`);
    stage.github.outage = outage;
    await decideAtGitHub(person.page, "octocat");
    await person.page.waitForURL("**/auth/github/callback");
    expect((await refusal(person)).heading).toBe("GitHub does not answer");
    stage.github.outage = "none";
    await link(person, "Try again");
    await person.page.waitForURL("**/dashboard");
  });
});

describe("an address that GitHub sent the browser back to", () => {
  beforeAll(start);
  afterAll(() => stage.stop());

  /** Agrees as a user who belongs, and stops the browser before the hub sees its answer. */
  async function intercepted(person: Visitor): Promise<string> {
    await person.page.goto(`${stage.hub.origin}/auth/github`);
    return (await stage.github.authorize(person.page.url(), "octocat")).href;
  }

  async function isRefused(person: Visitor, address: string): Promise<void> {
    await person.page.goto(address);
    expect(person.page.url()).toBe(`${stage.hub.origin}/auth/github/callback`);
    expect(await person.page.textContent("h1")).toBe("This sign-in took too long");
    expect(await cookieNames(person.context)).not.toContain(SESSION);
  }

  it("works in the browser that began, once", async () => {
    const person = await visitor();
    const address = await intercepted(person);
    await person.page.goto(address);
    await person.page.waitForURL("**/dashboard");
    await person.context.clearCookies({ name: SESSION });
    await person.context.clearCookies({ name: "__Host-orchestrator-access" });
    await isRefused(person, address);
  });

  it("works in no other browser, which spoils nothing", async () => {
    const person = await visitor();
    const address = await intercepted(person);
    const thief = await visitor();
    await thief.page.goto(`${stage.hub.origin}/auth/sign-in`);
    await isRefused(thief, address);
    await thief.page.goto(`${stage.hub.origin}/auth/github`);
    await isRefused(thief, address);
    await person.page.goto(address);
    await person.page.waitForURL("**/dashboard");
  });

  it("works with no other code, for the verifier is another", async () => {
    const [person, other] = [await visitor(), await visitor()];
    const [address, theirs] = [new URL(await intercepted(person)), new URL(await intercepted(other))];
    address.searchParams.set("code", theirs.searchParams.get("code") ?? "");
    await isRefused(person, address.href);
    const exchanges = stage.github.requests.filter(({ path }) => path === "/login/oauth/access_token");
    expect(exchanges.length).toBeGreaterThan(0);
  });

  it("works no more once GitHub's code is too old", async () => {
    const person = await visitor();
    const address = await intercepted(person);
    stage.github.advance(11 * 60_000);
    await isRefused(person, address);
  });
});

it("says a setting is wrong only in the log, and to people that one is", async () => {
  stage = await startGitHubStage((_, settings) => ({ ...settings, GITHUB_CLIENT_SECRET: "" }));
  const person = await visitor();
  await person.page.goto(`${stage.hub.origin}/auth/sign-in`);
  expect(await person.page.textContent("main")).toContain("a setting of this hub cannot be read");
  expect(await person.page.textContent("main")).not.toContain("GITHUB_CLIENT");
  expect(JSON.stringify(stage.hub.logs())).toContain("GITHUB_CLIENT_SECRET");
  await stage.stop();
});
