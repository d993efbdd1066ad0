/** Instances that say who may use them, with real connectors in processes of their own and people who sign in with GitHub. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import path from "node:path";
import fc from "fast-check";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import type { AccessList } from "@ai-orchestrator/protocol";
import type { HubSettings } from "../../packages/hub/local/settings.ts";
import type { ConnectorEvent } from "../tunnel/connector-process.ts";
import { startUpstream, type Upstream } from "../tunnel/upstream.ts";
import { Viewer } from "../tunnel/viewer.ts";
import {
  deliver,
  leaving,
  signInWithGitHub,
  startGitHubStage,
  tokenOf,
  type GitHubStage,
  type Visitor,
} from "./stage.ts";

const PATIENCE = { timeout: 15_000, interval: 50 };

let stage: GitHubStage;
let upstream: Upstream;
let acme: { id: number; login: string };
let ann: { id: number; login: string };
const children: ChildProcess[] = [];
const gone: (() => Promise<unknown>)[] = [];

/** A hub that lets in acme, and ann by her name as well. */
async function start(settings: HubSettings = {}): Promise<void> {
  upstream = await startUpstream();
  stage = await startGitHubStage((github, defaults) => {
    acme = github.addOrganization("acme");
    github.install("acme");
    ann = { login: "ann", id: github.addUser("ann").id };
    github.addUser("bea");
    for (const login of ["ann", "bea"]) github.join("acme", login);
    return { ...defaults, ALLOWED_ORGS: `acme:${acme.id}`, ALLOWED_USERS: `ann:${ann.id}`, ...settings };
  });
}

async function stop(): Promise<void> {
  await stage.stop();
  await upstream.stop();
}

afterEach(async () => {
  await Promise.all(gone.splice(0).map((leave) => leave()));
  await Promise.all(children.splice(0).map(end));
});

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

async function signedIn(login: string): Promise<Visitor & { token: string }> {
  const visitor = await stage.visitor();
  gone.push(() => visitor.context.close());
  await signInWithGitHub(visitor, stage.hub, login);
  return { ...visitor, token: await tokenOf(visitor) };
}

/** Starts a connector and waits until it is connected; `origin` is where the instance is. */
async function connect(clientId: string, token: string, access: AccessList) {
  const options = {
    url: stage.hub.origin,
    token,
    clientId,
    target: upstream.target,
    metadata: { hostname: "test-host", project: `/home/ann/${clientId}`, platform: "linux" },
    reconnectIntervalMs: 1000,
    access,
  };
  const script = path.resolve(import.meta.dirname, "../tunnel/connector-process.ts");
  const child = fork(script, [JSON.stringify(options)], { execArgv: ["--conditions=source"] });
  children.push(child);
  const events: ConnectorEvent[] = [];
  child.on("message", (event: ConnectorEvent) => events.push(event));
  await expect.poll(() => events.at(-1)?.event, PATIENCE).toBe("connected");
  const [connected] = events.filter(({ event }) => event === "connected");
  return { child, origin: connected !== undefined && "url" in connected ? connected.url : "" };
}

/** `Cookie` of a browser that has entered an instance. */
async function cookieAt({ context }: Visitor, origin: string): Promise<string> {
  return (await context.cookies(origin)).map(({ name, value }) => `${name}=${value}`).join("; ");
}

/** A WebSocket of the page that is open. */
async function openSocket({ page }: Visitor): Promise<void> {
  await page.evaluate(async () => {
    const socket = new WebSocket(`ws://${location.host}/chat`);
    await new Promise((resolve, reject) => {
      socket.addEventListener("message", resolve);
      socket.addEventListener("error", reject);
      socket.addEventListener("open", () => socket.send("hello"));
    });
    Object.assign(globalThis, { socket });
  });
}

function isSocketOpen({ page }: Visitor): Promise<boolean> {
  return page.evaluate(() => {
    const { socket } = globalThis as unknown as { socket: WebSocket };
    return socket.readyState === WebSocket.OPEN;
  });
}

/** A browser reports the end of a WebSocket two seconds late. */
async function closed(visitor: Visitor): Promise<void> {
  await expect.poll(() => isSocketOpen(visitor), PATIENCE).toBe(false);
}

/** Fields by which a request could pretend to be somebody else's, or to be of somebody who belongs. */
const field = fc
  .tuple(
    fc.constantFrom("user-id", "username", "organizations", "teams", "viewer", "connector", "signed-out"),
    fc.array(fc.boolean(), { minLength: 32, maxLength: 32 }),
    fc.array(fc.boolean(), { minLength: 4, maxLength: 4 }),
    fc.constantFrom(
      "666",
      "github:666",
      "mallory",
      "acme, evil",
      "acme/core",
      "%7B%22userId%22%3A%22github%3A666%22%7D",
    ),
  )
  .map(([last, upper, lines, value]): [name: string, value: string] => {
    let dash = 0;
    const name = Array.from(`x-orchestrator-${last}`, (letter, index) =>
      letter === "-" && lines[dash++] ? "_" : upper[index] ? letter.toUpperCase() : letter,
    );
    return [name.join(""), value];
  });
const spoofed = fc.record({
  fields: fc.array(field, { minLength: 1, maxLength: 4 }),
  isTwice: fc.boolean(),
  isNamedInConnection: fc.boolean(),
  isTrailer: fc.boolean(),
});

describe("a list of people", () => {
  beforeAll(() => start());
  afterAll(stop);

  it(
    "opens for whom it names, and the application is told who looks whatever their browser says",
    { timeout: 60_000 },
    async () => {
      const visitor = await signedIn("ann");
      const { origin } = await connect("identity", visitor.token, {
        users: ["x", `whoever:${ann.id}`],
        organization: "acme",
      });
      await visitor.page.goto(`${origin}/page?title=mine`);
      expect(await visitor.page.title()).toBe("mine");
      const cookie = await cookieAt(visitor, origin);
      const viewer = new Viewer();
      /** What each request to this path was told of who looks. */
      const told = (target: string) =>
        upstream.seen
          .filter(({ url }) => url === target)
          .map(({ headers }) =>
            headers.filter(([name]) => /^x-orchestrator-/i.test(name.replaceAll("_", "-"))),
          );
      const truth = [
        ["x-orchestrator-user-id", String(ann.id)],
        ["x-orchestrator-username", "ann"],
      ];
      let count = 0;
      for (const { fields, isTwice, isNamedInConnection, isTrailer } of fc.sample(spoofed, {
        numRuns: 40,
        seed: 7,
      })) {
        count++;
        const names = fields.map(([name]) => name).join(", ");
        const sent = Object.fromEntries(
          fields.map(([name, value]) => [name, isTwice ? [value, `${value}-again`] : value]),
        );
        const request = viewer.begin(`${origin}/echo?${count}`, {
          method: "POST",
          headers: {
            cookie,
            origin,
            ...(isTrailer ? { trailer: names } : sent),
            ...(isNamedInConnection ? { connection: `close, ${names}` } : {}),
          },
        });
        request.write("body");
        if (isTrailer) request.addTrailers(fields);
        request.end();
        const [answer] = (await once(request, "response")) as [IncomingMessage];
        answer.resume();
        expect([answer.statusCode, told(`/echo?${count}`)]).toEqual([200, [truth]]);
      }
      const headers = Object.fromEntries(fc.sample(field, { numRuns: 20, seed: 8 }));
      const socket = viewer.webSocket(`${origin}/ws`, [], { headers: { ...headers, cookie } });
      await once(socket, "open");
      expect(told("/ws")).toEqual([truth]);
      socket.terminate();
    },
  );

  it("is opened by no other user of the hub, member or not, and nothing of theirs reaches it", async () => {
    const [owner, other] = [await signedIn("ann"), await signedIn("bea")];
    const { origin } = await connect("foreign", owner.token, { users: ["bea"], organization: "acme" });
    const before = upstream.seen.length;
    // Theirs to use by its list, and not theirs by the hub.
    const answer = await other.page.goto(`${origin}/page`);
    expect(answer?.status()).toBe(403);
    expect(await other.page.textContent("h1")).toBe("Not yours to open");
    const viewer = new Viewer();
    const headers = { cookie: await cookieAt(other, origin), accept: "application/json" };
    expect((await viewer.fetch(`${origin}/echo`, { headers })).status).toBe(401);
    expect(upstream.seen.length).toBe(before);
  });

  it(
    "narrowed at a restart of its connector: what is open ends, and a page says who may use it",
    { timeout: 60_000 },
    async () => {
      const visitor = await signedIn("ann");
      const { page } = visitor;
      const wide = await connect("narrowed", visitor.token, { users: ["ANN"] });
      await page.goto(`${wide.origin}/page?title=mine`);
      await openSocket(visitor);
      await end(wide.child);
      await connect("narrowed", visitor.token, { users: ["bea"], organization: "acme", team: "core" });
      await closed(visitor);
      const before = upstream.seen.length;
      const answer = await page.goto(`${wide.origin}/page?title=mine`);
      expect(answer?.status()).toBe(403);
      expect(await page.textContent("main")).toMatch(
        /You are signed in as ann\..*only bea and members of acme\/core/s,
      );
      // The hub lets in the organisation, and knows nothing of its teams.
      expect(await page.textContent("main")).toContain("This hub does not know who belongs to acme/core");
      const cookie = await cookieAt(visitor, wide.origin);
      const socket = new Viewer().webSocket(`${wide.origin}/ws`, [], { headers: { cookie } });
      const [, refused] = (await once(socket, "unexpected-response")) as [unknown, IncomingMessage];
      expect(refused.statusCode).toBe(403);
      expect(upstream.seen.length).toBe(before);
      await page.goto(`${stage.hub.origin}/clients/narrowed`);
      expect(await page.textContent(".callout")).toContain("it does not open for you");
      expect(await page.textContent(".facts")).toContain("Only bea and members of acme/core");
    },
  );

  it(
    "of an organisation: who leaves it loses what is open by GitHub's webhook, and nothing else",
    { timeout: 60_000 },
    async () => {
      const visitor = await signedIn("ann");
      const { page } = visitor;
      const [{ origin }, other] = [
        await connect("members", visitor.token, { organization: "Acme" }),
        await connect("by-name", visitor.token, { users: ["ann"], organization: "acme" }),
      ];
      await page.goto(`${origin}/page?title=mine`);
      await openSocket(visitor);
      const second = { ...visitor, page: await visitor.context.newPage() };
      await second.page.goto(`${other.origin}/page?title=mine`);
      await openSocket(second);
      expect(await deliver(stage, "organization", leaving(ann, acme))).toBe(204);
      const told = performance.now();
      await closed(visitor);
      console.log(`closed after ${Math.round(performance.now() - told)} ms`);
      expect((await page.goto(`${origin}/page`))?.status()).toBe(403);
      expect(await page.textContent("main")).toContain("members of acme");
      // She may use the hub by her name, and the other instance by its list.
      expect(await isSocketOpen(second)).toBe(true);
      expect((await second.page.goto(`${stage.hub.origin}/dashboard`))?.status()).toBe(200);
    },
  );
});

describe("a list of members, without a webhook", () => {
  beforeAll(() => start({ MEMBERSHIP_MAX_AGE_SECONDS: "2", MEMBERSHIP_GRACE_SECONDS: "4" }));
  afterAll(stop);

  it(
    "closes what is open once GitHub's answer has its age, and opens again to who is back",
    { timeout: 60_000 },
    async () => {
      const visitor = await signedIn("ann");
      const { page } = visitor;
      const { origin } = await connect("members", visitor.token, { organization: "acme" });
      await page.goto(`${origin}/page?title=mine`);
      await openSocket(visitor);
      await new Promise((resolve) => setTimeout(resolve, 3000));
      expect(await isSocketOpen(visitor)).toBe(true);
      stage.github.leave("acme", "ann");
      await closed(visitor);
      expect((await page.goto(`${origin}/page`))?.status()).toBe(403);
      stage.github.join("acme", "ann");
      await expect
        .poll(async () => (await page.goto(`${origin}/page?title=back`))?.status(), PATIENCE)
        .toBe(200);
    },
  );
});
