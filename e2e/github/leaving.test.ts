/** Somebody leaves the organisation that let them in: what they have open ends, by GitHub's webhook and without it. */
import type { Page } from "playwright-core";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { HubSettings } from "../../packages/hub/local/settings.ts";
import { Puppet } from "../pages/stage.ts";
import { startUpstream, type Upstream } from "../tunnel/upstream.ts";
import {
  deliver,
  leaving,
  signInWithGitHub,
  startGitHubStage,
  tokenOf,
  type GitHubStage,
  type Visitor,
} from "./stage.ts";

/** What takes effect at once is seen by then, on a busy machine too. */
const AT_ONCE = { timeout: 1500, interval: 50 };

let stage: GitHubStage;
let upstream: Upstream;
let acme: { id: number; login: string };
let people = 0;
const gone: (() => Promise<unknown>)[] = [];

async function start(settings: HubSettings = {}): Promise<void> {
  upstream = await startUpstream();
  stage = await startGitHubStage((github, defaults) => {
    acme = github.addOrganization("acme");
    github.install("acme");
    return { ...defaults, ALLOWED_ORGS: `acme:${acme.id}`, ...settings };
  });
}

async function stop(): Promise<void> {
  await stage.stop();
  await upstream.stop();
}

afterEach(async () => {
  await Promise.all(gone.splice(0).map((end) => end()));
  stage.github.outage = "none";
  expect(stage.github.unknown).toEqual([]);
});

/** A member of acme with all that one can have open. */
interface Member {
  login: string;
  id: number;
  visitor: Visitor;
  token: string;
  dashboard: Page;
  /** A page of their instance, with a WebSocket to it. */
  proxied: Page;
  puppet: Puppet;
  /** What the connector was told when its connections ended. */
  ends: string[];
}

async function member(): Promise<Member> {
  const login = `person-${++people}`;
  const { id } = stage.github.addUser(login);
  stage.github.join("acme", login);
  const visitor = await stage.visitor();
  gone.push(() => visitor.context.close());
  await signInWithGitHub(visitor, stage.hub, login);
  const dashboard = visitor.page;
  await dashboard.waitForFunction(() => document.body.dataset["told"] !== undefined);
  const token = await tokenOf(visitor);
  const ends: string[] = [];
  const puppet = startPuppet(token, ends);
  await puppet.connected;
  await dashboard.waitForSelector(puppet.card);
  const proxied = await visitor.context.newPage();
  await proxied.goto(`${puppet.origin}/page?title=mine`);
  expect(await proxied.title()).toBe("mine");
  await proxied.evaluate(async () => {
    const socket = new WebSocket(`ws://${location.host}/chat`);
    await new Promise((resolve, reject) => {
      socket.addEventListener("message", resolve);
      socket.addEventListener("error", reject);
      socket.addEventListener("open", () => socket.send("hello"));
    });
    Object.assign(globalThis, { socket });
  });
  return { login, id, visitor, token, dashboard, proxied, puppet, ends };
}

/** By two clicks: GitHub does not ask again who has agreed once. */
async function signInAgain({ dashboard }: Member): Promise<void> {
  await dashboard.goto(`${stage.hub.origin}/auth/sign-in`);
  await dashboard.getByRole("link", { name: "Sign in with GitHub" }).click();
}

function startPuppet(token: string, ends: string[]): Puppet {
  const puppet = new Puppet(stage.hub, { token, target: upstream.target });
  puppet.client.on("disconnected", ({ code }) => ends.push(code));
  puppet.client.start();
  gone.push(() => puppet.stop());
  return puppet;
}

/** A browser reports the end of a WebSocket two seconds late, but takes and brings nothing from the first moment on. */
function isSocketOpen({ proxied }: Member): Promise<boolean> {
  return proxied.evaluate(() => {
    const { socket } = globalThis as unknown as { socket: WebSocket };
    return socket.readyState === WebSocket.OPEN;
  });
}

/** Everything of this person is closed, and the next page says why. */
async function isOut(person: Member, why: string): Promise<void> {
  const { dashboard, proxied, ends, puppet } = person;
  const state = async () => {
    const { pathname } = new URL(dashboard.url());
    return { dashboard: pathname, isSocketOpen: await isSocketOpen(person), connector: ends[0] };
  };
  await expect
    .poll(state, AT_ONCE)
    .toEqual({ dashboard: "/auth/sign-in", isSocketOpen: false, connector: "going_away" });
  await proxied.goto(`${puppet.origin}/page?title=again`);
  for (const shown of [dashboard, proxied]) {
    expect(shown.url()).toMatch(`${stage.hub.origin}/auth/sign-in`);
    expect(await shown.textContent(".callout")).toContain(why);
  }
  await dashboard.goto(`${stage.hub.origin}/tokens`);
  expect(new URL(dashboard.url()).pathname).toBe("/auth/sign-in");
}

async function isIn(person: Member): Promise<void> {
  expect(new URL(person.dashboard.url()).pathname).toBe("/dashboard");
  expect(person.ends).toEqual([]);
  expect(await isSocketOpen(person)).toBe(true);
}

const leaves = (person: Member) => deliver(stage, "organization", leaving(person, acme));

describe("by the webhook", () => {
  beforeAll(() => start());
  afterAll(stop);

  it("closes dashboards, proxied pages, WebSockets and connections within a second, and nobody else's", async () => {
    const [ann, ben] = [await member(), await member()];
    // GitHub's API does not know it yet.
    expect(await leaves(ann)).toBe(204);
    await isOut(ann, `${ann.login} belongs to nothing that this hub lets in any more`);
    await isIn(ben);
  });

  it("beats what GitHub's API still says, for pages and connectors", async () => {
    const ann = await member();
    expect(await leaves(ann)).toBe(204);
    await isOut(ann, "belongs to nothing");
    await ann.puppet.stop();
    const ends: string[] = [];
    startPuppet(ann.token, ends);
    await expect.poll(() => ends, { timeout: 5000 }).toEqual(["not_admitted"]);
    await signInAgain(ann);
    await ann.dashboard.waitForURL("**/auth/github/callback");
    expect(await ann.dashboard.textContent("h1")).toBe("This hub is not open to you");
  });
});

describe("without it", () => {
  const [maxAgeSeconds, graceSeconds] = [2, 8];
  beforeAll(() =>
    start({
      MEMBERSHIP_MAX_AGE_SECONDS: String(maxAgeSeconds),
      MEMBERSHIP_GRACE_SECONDS: String(graceSeconds),
    }),
  );
  afterAll(stop);

  it("closes the same once the answer has its age", { timeout: 60_000 }, async () => {
    const ann = await member();
    const ben = await member();
    await pause(maxAgeSeconds * 1000 + 500);
    await isIn(ann);
    stage.github.leave("acme", ann.login);
    await pause(maxAgeSeconds * 1000);
    await isOut(ann, "belongs to nothing");
    await isIn(ben);

    // And back.
    stage.github.join("acme", ann.login);
    await signInAgain(ann);
    await ann.dashboard.waitForURL("**/tokens");
    await ann.dashboard.goto(`${stage.hub.origin}/dashboard`);
    await ann.puppet.stop();
    const puppet = startPuppet(ann.token, []);
    await puppet.connected;
    await ann.dashboard.waitForSelector(puppet.card);
  });

  it("leaves them in while GitHub is away, for the grace and no longer", { timeout: 60_000 }, async () => {
    const ann = await member();
    stage.github.outage = "500";
    await pause(3000);
    await isIn(ann);
    await ann.dashboard.reload();
    await isIn(ann);
    await pause((graceSeconds + maxAgeSeconds - 1) * 1000);
    await isOut(ann, "could not ask GitHub");
  });
});

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
