/** What the authorizer does beyond saying yes or no: cookies on the way out, sockets that close, and no database on hot paths. */
import { env, exports } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { connectFake } from "../../test/fake-connector.ts";
import { admit, connected, cookiePair, HUB } from "../../test/hub.ts";
import { openWebSocket, view } from "../../test/viewer.ts";
import { upsertUser } from "../db/users.ts";
import { instanceLabel } from "../origins.ts";
import { routes } from "../routes.ts";
import { ACCESS_COOKIE, ACCESS_MS, accessCookie, type Session } from "./access-cookie.ts";
import { endSessions, SESSION_COOKIE, signIn } from "./session.ts";
import { issueInstanceToken } from "./token.ts";

beforeAll(async () => {
  for (const id of ["ann", "bea"]) {
    await upsertUser(env.DB, { id, login: id, name: id });
    await admit(id);
  }
  await env.USER_HUB.getByName("ann").instanceConnected(connected("laptop"));
});

/** A browser with its cookies, as they are now. */
class Browser {
  readonly cookies = new Map<string, string>();
  readonly sessionId: string;
  readonly userId: string;

  constructor(userId: string, setCookies: readonly string[]) {
    this.userId = userId;
    this.take(setCookies);
    this.sessionId = this.cookies.get(SESSION_COOKIE)?.split(".")[0] ?? "";
  }

  take(setCookies: readonly string[]): void {
    for (const setCookie of setCookies) {
      const [name = "", value = ""] = cookiePair(setCookie).split(/=(.*)/s);
      this.cookies.set(name, value);
    }
  }

  copy(): Browser {
    return new Browser(
      this.userId,
      [...this.cookies].map(([name, value]) => `${name}=${value};`),
    );
  }

  /** Five minutes pass: its access cookie is no longer fresh. */
  async age(): Promise<this> {
    const { sessionId: id, userId } = this;
    const session: Session = { id, userId, login: userId, name: userId, role: "member", until: Date.now() };
    this.take([await accessCookie(env, session)]);
    return this;
  }

  async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const headers = new Headers({ host: new URL(HUB).host, accept: "text/html", cookie, origin: HUB });
    for (const [name, value] of new Headers(init.headers)) headers.set(name, value);
    return exports.default.fetch(HUB + path, { ...init, headers, redirect: "manual" });
  }

  /** The first words of a dashboard's socket have been heard when this resolves. */
  async openDashboard(): Promise<{ words: string[]; closeCode(): number | undefined }> {
    const { webSocket } = await this.ask(routes.dashboardSocket, { headers: { upgrade: "websocket" } });
    if (!webSocket) throw new Error("no socket");
    const words: string[] = [];
    let closeCode: number | undefined;
    webSocket.addEventListener("message", ({ data }) => {
      words.push(String(data));
    });
    webSocket.addEventListener("close", ({ code }) => {
      closeCode = code;
    });
    webSocket.accept();
    await vi.waitFor(() => expect(words).toHaveLength(1));
    return { words, closeCode: () => closeCode };
  }
}

async function newBrowser(userId = "ann"): Promise<Browser> {
  return new Browser(userId, await signIn(new Request(HUB), env, userId));
}

const namesIn = (response: Response) =>
  response.headers
    .getSetCookie()
    .map((cookie) => cookie.split("=")[0] ?? "")
    .toSorted((a, b) => (a < b ? -1 : 1));

describe("a sign-in that is refreshed", () => {
  const BOTH = [ACCESS_COOKIE, SESSION_COOKIE];

  test.each([
    [routes.dashboard, 200],
    [routes.clientDetails("laptop"), 200],
    [routes.home, 302],
    [routes.client("unknown"), 404],
    [routes.access, 403],
    ["/nothing", 404],
  ])("has its new cookies on the answer of %s", async (path, status) => {
    const browser = await (await newBrowser()).age();
    const answer = await browser.ask(path);
    expect([answer.status, namesIn(answer)]).toEqual([status, BOTH]);
    browser.take(answer.headers.getSetCookie());
    expect((await browser.ask(routes.tokens)).status).toBe(200);
    expect(namesIn(await browser.ask(path))).toEqual([]);
  });

  test("has none on the answer to an upgrade, nor where nobody is asked for", async () => {
    const browser = await (await newBrowser()).age();
    const upgrade = await browser.ask(routes.dashboardSocket, { headers: { upgrade: "websocket" } });
    upgrade.webSocket?.accept();
    expect([upgrade.status, namesIn(upgrade)]).toEqual([101, []]);
    expect(namesIn(await browser.ask(routes.health))).toEqual([]);
    expect(namesIn(await browser.ask(routes.signIn))).toEqual([]);
  });

  test("is not refreshed by another site's request", async () => {
    const browser = await (await newBrowser()).age();
    const foreign = { method: "POST", headers: { origin: "https://evil.example" } };
    expect(namesIn(await browser.ask(routes.signOut, foreign))).toEqual([]);
  });

  test("signing out in that very request takes the cookies and gives none", async () => {
    const browser = await (await newBrowser()).age();
    const answer = await browser.ask(routes.signOut, { method: "POST" });
    expect(answer.headers.getSetCookie().map((cookie) => cookie.split(";")[0])).toEqual([
      `${SESSION_COOKIE}=`,
      `${ACCESS_COOKIE}=`,
    ]);
  });
});

describe("a sign-in that has ended", () => {
  test.each([
    routes.dashboard,
    routes.client("laptop"),
    routes.clientDetails("laptop"),
    routes.open("laptop-abcdefghij"),
  ])("opens nothing at %s from then on, however fresh its cookies", async (path) => {
    const thief = await newBrowser();
    expect((await thief.ask(path)).status).toBeLessThan(400);
    await endSessions(env, "ann", [thief.sessionId]);
    const answer = await thief.ask(path);
    expect(answer.headers.get("location")).toBe(`${routes.signIn}?next=${encodeURIComponent(path)}`);
    expect((await thief.ask(path, { headers: { "hx-request": "true" } })).status).toBe(401);
    // The way to the sign-in ends there.
    expect((await thief.ask(routes.signIn)).status).toBe(200);
  });

  test("because its cookie was copied closes what it has open, dashboards and instances alike", async () => {
    const { text } = await issueInstanceToken(env.DB, { userId: "bea", name: "copied" });
    await connectFake(text, "copied");
    const [browser, other] = [await newBrowser("bea"), await newBrowser("bea")];
    const thief = browser.copy();
    const label = await instanceLabel("bea", "copied");
    expect((await browser.ask(`${routes.open(label)}?binding=${"a".repeat(43)}`)).status).toBe(302);
    const proxied = await openWebSocket("bea", "copied", { sessionId: browser.sessionId });
    const [dashboard, others] = [await browser.openDashboard(), await other.openDashboard()];

    for (let turn = 0; turn < 2; turn++) {
      await browser.age();
      browser.take((await browser.ask(routes.dashboard)).headers.getSetCookie());
    }
    await thief.age();
    expect((await thief.ask(routes.dashboard)).headers.get("location")).toContain(routes.signIn);

    await vi.waitFor(() => expect(dashboard.closeCode()).toBe(4401), 1500);
    expect(dashboard.words.at(-1)).toBe("signed-out");
    await vi.waitFor(() => expect(proxied.closeCode()).toBeDefined(), 1500);
    expect(others.closeCode()).toBeUndefined();
    expect((await other.ask(routes.dashboard)).status).toBe(200);
  });
});

describe("the database", () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Counts what the Worker and its objects ask of D1, all of which share this isolate. */
  async function countQueries(act: () => Promise<Response>): Promise<{ status: number; queries: number }> {
    const database = Object.getPrototypeOf(env.DB) as D1Database;
    const statement = Object.getPrototypeOf(env.DB.prepare("SELECT 1")) as D1PreparedStatement;
    const spies = [
      ...(["prepare", "batch", "exec", "withSession"] as const).map((name) => vi.spyOn(database, name)),
      ...(["first", "all", "run", "raw"] as const).map((name) => vi.spyOn(statement, name)),
    ];
    const response = await act();
    await response.arrayBuffer();
    const queries = spies.reduce((sum, spy) => sum + spy.mock.calls.length, 0);
    vi.restoreAllMocks();
    return { status: response.status, queries };
  }

  /** Resolves when nobody has asked D1 for a moment: UserHubs tell it in the background how many instances there are. */
  async function quiet(): Promise<void> {
    const prepare = vi.spyOn(Object.getPrototypeOf(env.DB) as D1Database, "prepare");
    await vi.waitFor(async () => {
      const { length } = prepare.mock.calls;
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(prepare.mock.calls).toHaveLength(length);
    }, 5000);
    prepare.mockRestore();
  }

  test.each([routes.dashboard, routes.client("laptop"), routes.clientDetails("laptop")])(
    "is not asked for %s while the access cookie is fresh",
    async (path) => {
      const browser = await newBrowser();
      expect(await countQueries(() => browser.ask(path))).toEqual({ status: 200, queries: 0 });
      await browser.age();
      expect((await countQueries(() => browser.ask(path))).queries).toBeGreaterThan(0);
    },
  );

  test.each([routes.tokens, routes.sessions])("is asked for %s each time", async (path) => {
    const browser = await newBrowser();
    const { status, queries } = await countQueries(() => browser.ask(path));
    expect([status, queries > 0]).toEqual([200, true]);
  });

  test("is not asked for what is proxied while the viewer's cookie is fresh", async () => {
    const { text } = await issueInstanceToken(env.DB, { userId: "ann", name: "hot" });
    await connectFake(text, "hot");
    await quiet();
    const { sessionId } = await newBrowser();
    const asset = () => view("ann", "hot", "/assets/app.js", { sessionId });
    expect(await countQueries(asset)).toEqual({ status: 200, queries: 0 });
    const stale = () => view("ann", "hot", "/assets/app.js", { sessionId, issuedAt: Date.now() - ACCESS_MS });
    expect((await countQueries(stale)).queries).toBeGreaterThan(0);
  });

  test("is not asked for what is proxied in path mode while the access cookie is fresh, and one Tunnel is asked once", async () => {
    const { text } = await issueInstanceToken(env.DB, { userId: "ann", name: "hot" });
    await connectFake(text, "hot-path");
    const label = await instanceLabel("ann", "hot-path");
    await env.USER_HUB.getByName("ann").act(label, { action: "trust_path" }, "ann");
    await quiet();
    const browser = await newBrowser();
    const headers = {
      "sec-fetch-mode": "no-cors",
      "sec-fetch-dest": "script",
      "sec-fetch-site": "same-origin",
    };
    const asset = () => browser.ask(`${routes.clientProxy(label)}/assets/app.js`, { headers });

    const [tunnels, hubs] = [vi.spyOn(env.TUNNEL, "getByName"), vi.spyOn(env.USER_HUB, "getByName")];
    await asset().then((answer) => answer.arrayBuffer());
    const hops = [tunnels, hubs].map(({ mock }) => mock.calls.length);
    vi.restoreAllMocks();
    expect(hops).toEqual([1, 0]);
    expect(await countQueries(asset)).toEqual({ status: 200, queries: 0 });
    const answer = await (await browser.age()).ask(`${routes.clientProxy(label)}/assets/app.js`);
    expect(namesIn(answer)).toEqual([ACCESS_COOKIE, SESSION_COOKIE]);
    browser.take(answer.headers.getSetCookie());
    expect(await countQueries(asset)).toEqual({ status: 200, queries: 0 });
  });

  test("is seen to be asked by objects, too", async () => {
    const browser = await newBrowser();
    await browser.openDashboard();
    const { queries } = await countQueries(async () => {
      await env.USER_HUB.getByName("ann").admission();
      return new Response(null);
    });
    expect(queries).toBeGreaterThan(0);
  });
});
