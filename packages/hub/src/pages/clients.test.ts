import { env } from "cloudflare:workers";
import { afterEach, beforeEach, describe, expect, it, test, vi } from "vitest";
import { MARKUP } from "../../test/corpora/markup.ts";
import type { Belonging } from "../auth/instance-access.ts";
import type { ActionResult, Inspection, InstanceConnected, TunnelRpc, UserHubRpc } from "../contracts.ts";
import { MAX_NAME_LENGTH, type Instance } from "../instance.ts";
import { routes } from "../routes.ts";
import { here, withTunnels, type Hub } from "../../test/dashboards.ts";
import { ask, connected, instanceOf, signedIn, type BrowserRequest, type Person } from "../../test/hub.ts";

const label = "shop-abcdefghij";
const PIECE = { "hx-request": "true" };
let ann: Person;
let hub: Hub;
let calls: string[];
let tunnel: Partial<TunnelRpc>;
let count = 0;

beforeEach(async () => {
  count++;
  ann = await signedIn(`ann-${count}`);
  hub = env.USER_HUB.getByName(ann.userId);
  tunnel = {};
  calls = await withTunnels(hub, here, (asked) => ({
    refreshStatus: () => {
      calls.push(`refresh ${asked}`);
      return Promise.resolve("done" as const);
    },
    keepAway: () => Promise.resolve(void calls.push(`keep away ${asked}`)),
    letBack: () => Promise.resolve(void calls.push(`let back ${asked}`)),
    trustPath: () => Promise.resolve(),
    ...tunnel,
  }));
  await hub.instanceConnected(connected("shop"));
});
afterEach(() => vi.restoreAllMocks());

const get = (path: string, headers: Record<string, string> = {}) => ask(path, { person: ann, headers });

/** Sends a form as a browser without scripts does, or htmx. */
function post(path: string, fields: Record<string, string> = {}, more: BrowserRequest = {}) {
  const type = { "content-type": "application/x-www-form-urlencoded" };
  const request = { method: "POST", person: ann, body: new URLSearchParams(fields).toString(), ...more };
  return ask(path, { ...request, headers: { ...type, ...more.headers } });
}

const shop = async (): Promise<Instance> => {
  const found = await instanceOf(hub, "shop");
  if (found === null) throw new Error("it is not there");
  return found;
};

async function stop(reason: "stopped" | "heartbeat_timeout" = "stopped"): Promise<void> {
  await hub.instanceGone("shop", (await shop()).connectedAt, reason, Date.now());
}

/** Lets the person's hub answer some calls as a test wants. */
function pretend(answers: { [K in keyof UserHubRpc]?: () => Promise<unknown> }): void {
  const real = env.USER_HUB.getByName.bind(env.USER_HUB);
  const namespace = Object.getPrototypeOf(env.USER_HUB) as typeof env.USER_HUB;
  vi.spyOn(namespace, "getByName").mockImplementation((name) => Object.assign(real(name), answers));
}

/** A text as people read it. */
const words = (html: string) =>
  html
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim();

/** Of a list of facts. */
function fact(html: string, name: string): string | undefined {
  const [, value] = new RegExp(`<dt>${name}</dt><dd>(.*?)</dd>`, "s").exec(html) ?? [];
  return value === undefined ? undefined : words(value);
}

const actionsIn = (html: string) =>
  [...html.matchAll(/<form[^>]* action="\/clients\/[^/]+\/([a-z-]+)"/g)].map(([, name]) => name);

describe("what is shown of an instance", () => {
  it("is every fact, on its page and behind its card", async () => {
    const since = Date.UTC(2026, 1, 2, 22);
    const until = Date.UTC(2026, 1, 3, 6);
    await hub.instanceConnected(
      connected("docs", {
        metadata: {
          hostname: "atlas",
          project: "/home/ann/work/docs",
          platform: "darwin",
          upstream: { name: "claudecodeui", version: "1.37.3" },
        },
        absence: { cause: "asleep", since, until },
        connectedAt: Date.now() - 3 * 60_000,
      }),
    );
    const page = await (await get(routes.client("docs"))).text();
    const details = await (await get(routes.clientDetails("docs"), PIECE)).text();
    for (const html of [page, details]) {
      expect(fact(html, "Project")).toBe("/home/ann/work/docs");
      expect(fact(html, "Host")).toBe("atlas (darwin)");
      expect(fact(html, "Web app")).toBe("claudecodeui 1.37.3");
      expect(fact(html, "Connector")).toBe("connector 0.1.0");
      expect(fact(html, "Id")).toBe("docs");
      expect(fact(html, "Connected")).toBe("3 min ago");
      expect(fact(html, "Away before")).toBe(
        "8 h asleep, from Mon, 2 Feb 2026, 22:00:00 UTC to Tue, 3 Feb 2026, 06:00:00 UTC",
      );
      expect(fact(html, "First seen")).toBe("3 min ago");
      expect(words(html)).toContain("connected for the first time");
      expect(html).toContain(`href="/activity?instance=docs-abcdefghij">All activity`);
      expect(actionsIn(html)).toEqual(["refresh", "disconnect", "rename"]);
    }
    expect(details).toContain('hx-trigger="acted"');
    expect(details).toContain(`href="${routes.client("docs-abcdefghij")}"`);
    expect(details).not.toContain("<html");
  });

  it("is why it is unreachable, and that it can be forgotten after a question", async () => {
    await stop("heartbeat_timeout");
    const html = await (await get(routes.client("shop"))).text();
    expect(fact(html, "Unreachable")).toBe("now , no sign of life: asleep, cut off or frozen");
    expect(fact(html, "Connected")).toBeUndefined();
    expect(fact(html, "Away before")).toBeUndefined();
    expect(actionsIn(html)).toEqual(["forget", "rename"]);
    expect(html).toMatch(
      /data-confirm="Forget “shop”\? Its name and place are forgotten; its activity stays\./,
    );
  });

  it("is each session with its project, state and since; those seen count as idle", async () => {
    const since = Date.now() - 60_000;
    const sessions = [
      { id: "a", title: "Fix it", project: "/home/ann/src/shop", state: "done" as const, since },
      { id: "b", title: "", project: "/elsewhere/api", state: "needs_answer" as const, since },
    ];
    await hub.instanceStatus("shop", { status: "busy", sessions, at: Date.now() });
    const html = await (await get(routes.client("shop"))).text();
    const rows = [...html.matchAll(/<tr><td.*?<\/tr>/gs)].map(([row]) => words(row));
    expect(rows).toEqual([
      "needs an answer api /elsewhere/api 1 min",
      "done Fix it /home/ann/src/shop 1 min",
    ]);
    expect(actionsIn(html)).toContain("seen");
    await post(routes.markClientSeen("shop"));
    const seen = await (await get(routes.client("shop"))).text();
    expect(words(seen)).toContain("idle Fix it");
    expect(actionsIn(seen)).not.toContain("seen");
  });

  it("is the last five things that happened", async () => {
    for (const name of ["one", "two", "three", "four", "five"])
      await post(routes.renameClient("shop"), { name });
    const html = await (await get(routes.clientDetails("shop"))).text();
    const entries = [...html.matchAll(/<li class="line event".*?<\/li>/gs)].map(([line]) => words(line));
    expect(entries.map((line) => /renamed to (\w+)/.exec(line)?.[1])).toEqual([
      "five",
      "four",
      "three",
      "two",
      "one",
    ]);
  });

  it("is who may use it, whatever they are called, and that it does not open for who looks", async () => {
    const page = async () => (await get(routes.client("listed"))).text();
    const connect = (access: InstanceConnected["access"], connectedAt: number) =>
      hub.instanceConnected(connected("listed", { access, connectedAt }));
    await connect(undefined, 1);
    expect(fact(await page(), "May use it")).toBeUndefined();
    await connect({ users: ["bea", ...Object.values(MARKUP).map((text) => text.slice(0, 160))] }, 2);
    for (const path of [routes.client("listed"), routes.clientDetails("listed")]) {
      const html = await (await get(path)).text();
      for (const text of Object.values(MARKUP)) if (text.includes("<")) expect(html).not.toContain(text);
      expect(fact(html, "May use it")).toMatch(/^Only bea , /);
    }
    await connect({ users: ["bea", "cleo:9"], organization: "acme", team: "core" }, 3);
    const members = await page();
    expect(fact(members, "May use it")).toBe("Only bea , cleo (GitHub id 9) and members of acme/core");
    // These people are nobody at GitHub.
    expect(words(members)).toContain(
      "it does not open for you. You are signed in to this hub without GitHub",
    );
    await connect({ users: Array.from({ length: 100 }, (_, index) => `user-${index}`) }, 4);
    expect(fact(await page(), "May use it")).toMatch(/user-19 and 80 more$/);
    await connect({}, 5);
    expect(fact(await page(), "May use it")).toBe("Nobody");
  });

  it("is that it does not open for its owner, why, and not that it does", async () => {
    const person = await signedIn(`github:${1000 + count}`);
    const theirs = env.USER_HUB.getByName(person.userId);
    await withTunnels(theirs, here, () => tunnel);
    const organization = { organization: "acme" };
    await theirs.instanceConnected(connected("mine", { access: organization }));
    const page = async () => words(await (await ask(routes.client("mine"), { person })).text());
    const answers: [Belonging["standing"], string][] = [
      ["not_known", "does not open for you. This hub does not know who belongs to acme"],
      ["untold", "does not open for you. GitHub does not tell this hub now whether you belong to acme"],
      ["not_member", "does not open for you. The list stands in its own settings, where it runs."],
    ];
    for (const [standing, text] of answers) {
      pretend({ belonging: () => Promise.resolve({ standing, login: "", until: 0 }) });
      expect(await page()).toContain(text);
      vi.restoreAllMocks();
    }
    pretend({ belonging: () => Promise.resolve({ standing: "member", login: "", until: 0 }) });
    expect(await page()).not.toContain("does not open");
    vi.restoreAllMocks();
    await theirs.instanceConnected(
      connected("mine", { access: { users: ["bea"] }, connectedAt: Date.now() + 1 }),
    );
    expect(await page()).toContain("does not open");
    await theirs.instanceConnected(
      connected("mine", {
        access: { users: [person.userId.replace("github", "x")] },
        connectedAt: Date.now() + 2,
      }),
    );
    expect(await page()).not.toContain("does not open");
  });

  it("says so where nothing is known", async () => {
    pretend({ activity: () => Promise.resolve({ entries: [], next: null }) });
    const html = await (await get(routes.client("shop"))).text();
    expect(words(html)).toContain("Nothing has happened yet.");
    expect(words(html)).toContain("No Claude session is known.");
    expect(fact(html, "Web app")).toBe("not recognised");
  });
});

describe("what its connector tells", () => {
  const inspection: Inspection = {
    latencyMs: 41.6,
    log: [
      { at: Date.UTC(2026, 1, 3, 5, 6, 7), level: "info", text: "Connected." },
      { at: Date.UTC(2026, 1, 3, 5, 6, 8), level: "error", text: "<b>No</b>\u202e way" },
    ],
  };
  const report = async (headers = PIECE) => (await get(routes.clientReport("shop"), headers)).text();

  it("is asked for when its place is seen, and has a place before that", async () => {
    for (const path of [routes.client("shop"), routes.clientDetails("shop")]) {
      const html = await (await get(path)).text();
      expect(html).toMatch(
        /<div class="report" hx-get="\/clients\/shop-abcdefghij\/report" hx-trigger="load"/,
      );
      expect(html).toContain(`href="${routes.clientReport(label)}">Ask its connector`);
    }
  });

  it("is the latency in milliseconds and the log, newest first, with when and how grave", async () => {
    tunnel.inspect = () => Promise.resolve(inspection);
    const html = await report();
    expect(html).not.toContain("<html");
    expect(words(html)).toBe(
      "Latency 42 ms Measure again 05:06:08 error &lt;b&gt;No&lt;/b&gt; way 05:06:07 Connected.",
    );
    expect(html).toContain('<li data-level="error">');
    expect(html).toContain('hx-target="closest .report"');
  });

  it("is a page of its own for whom no script asks", async () => {
    tunnel.inspect = () => Promise.resolve(inspection);
    const html = await report({} as typeof PIECE);
    expect(html).toContain("<h1>Connector</h1>");
    expect(words(html)).toContain("Latency 42 ms");
    expect(html).toContain(`href="${routes.client(label)}"`);
  });

  it.each([
    ["has logged nothing", () => Promise.resolve({ ...inspection, log: [] }), "Its log is empty."],
    ["does not answer", () => Promise.resolve(null), "Its connector did not answer within 3 s"],
    ["cannot be asked", () => Promise.reject(new Error("reset")), "Its connector did not answer within 3 s"],
  ])("where it %s a sentence says so", async (_, inspect, sentence) => {
    vi.spyOn(console, "error").mockReturnValue();
    tunnel.inspect = inspect;
    expect(words(await report())).toContain(sentence);
  });

  it("less than a millisecond is one", async () => {
    tunnel.inspect = () => Promise.resolve({ ...inspection, latencyMs: 0.2 });
    expect(words(await report())).toContain("Latency 1 ms");
  });

  it("is not asked of a client of version 1, which has no word for it", async () => {
    tunnel.inspect = () => Promise.reject(new Error("asked"));
    await hub.instanceConnected(connected("shop", { protocol: 1, connectedAt: Date.now() + 1 }));
    const html = await report();
    expect(words(html)).toBe("Its client speaks version 1 of the protocol, which cannot be asked for a log.");
  });

  it("is not asked of what is not connected", async () => {
    tunnel.inspect = () => Promise.reject(new Error("asked"));
    await stop();
    const html = await report();
    expect(words(html)).toContain("It is not connected, so there is no connector to ask for its log.");
    expect(words(html)).toContain("Ask again");
  });
});

describe("what is done to it", () => {
  const DONE: [string, (id: string) => string, string[]][] = [
    ["refresh", routes.refreshClient, [`refresh ${label}`]],
    ["disconnect", routes.disconnectClient, [`keep away ${label}`]],
    ["let back", routes.letClientBack, [`let back ${label}`]],
    ["mark as seen", routes.markClientSeen, []],
  ];

  it.each(DONE)("%s: its page for a form, nothing for a script", async (_, path, told) => {
    const plain = await post(path("shop"));
    expect([plain.status, plain.headers.get("location")]).toEqual([303, routes.client(label)]);
    const piece = await post(path(label), {}, { headers: PIECE });
    expect([piece.status, await piece.text()]).toEqual([204, ""]);
    expect(calls).toEqual([...told, ...told]);
  });

  it("who was sent away can be asked back", async () => {
    await post(routes.disconnectClient("shop"));
    const html = await (await get(routes.clientDetails("shop"))).text();
    expect(fact(html, "Unreachable")).toContain("sent away by its owner");
    expect(actionsIn(html)).toEqual(["let-back", "forget", "rename"]);
    await post(routes.letClientBack("shop"));
    expect((await shop()).keptAway).toBe(false);
  });

  it.each([
    ["a name", "Web shop", "Web shop"],
    ["one with room around it", "  Web shop \n", "Web shop"],
    ["one as long as may be", "x".repeat(MAX_NAME_LENGTH), "x".repeat(MAX_NAME_LENGTH)],
    ["one with what is not seen", "Web\u202e shop\u0000", "Web shop"],
    ["markup, which stays a text", "<b>", "<b>"],
    ["nothing, which takes its name away", " ", ""],
  ])("takes %s", async (_, name, kept) => {
    await post(routes.renameClient("shop"), { name: "Before" });
    const answer = await post(routes.renameClient("shop"), { name });
    expect(answer.status).toBe(303);
    expect((await shop()).name).toBe(kept);
    const html = await (await get(routes.client("shop"))).text();
    expect(html).not.toContain("<b>Web");
    expect(html).toContain(`placeholder="shop"`);
  });

  it.each<[string, Record<string, string>]>([
    ["too long", { name: "x".repeat(MAX_NAME_LENGTH + 1) }],
    ["missing", { title: "x" }],
  ])("refuses a name that is %s", async (_, fields) => {
    const answer = await post(routes.renameClient("shop"), fields, { headers: PIECE });
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error: { code: "bad_name" } });
    expect((await shop()).name).toBe("");
  });

  it("refuses a file for a name, and a body that is no form", async () => {
    const form = new FormData();
    form.set("name", new File(["x"], "x.txt"));
    const file = await ask(routes.renameClient("shop"), {
      method: "POST",
      person: ann,
      body: form,
      headers: PIECE,
    });
    expect(file.status).toBe(400);
    const headers = { "content-type": "multipart/form-data" };
    const broken = await ask(routes.renameClient("shop"), {
      method: "POST",
      person: ann,
      body: "x",
      headers,
    });
    expect(broken.status).toBe(400);
  });

  it("forgets what is gone, and then leads to the dashboard", async () => {
    await stop();
    const plain = await post(routes.forgetClient("shop"));
    expect([plain.status, plain.headers.get("location")]).toEqual([303, routes.dashboard]);
    expect(await instanceOf(hub, "shop")).toBeNull();
    await hub.instanceConnected(connected("shop"));
    await stop();
    expect((await post(routes.forgetClient("shop"), {}, { headers: PIECE })).status).toBe(204);
  });

  it.each<[Extract<ActionResult, { refused: string }>["refused"], number, string]>([
    ["unknown", 404, "not_found"],
    ["connected", 409, "still_connected"],
    ["unreachable", 409, "not_connected"],
    ["bad_name", 400, "bad_name"],
    ["unanswered", 504, "instance_unanswered"],
  ])("what is refused as %s is %i %s, to a script and on a page", async (refused, status, code) => {
    pretend({ act: () => Promise.resolve({ refused }) });
    const piece = await post(routes.refreshClient("shop"), {}, { headers: PIECE });
    expect(piece.status).toBe(status);
    expect(await piece.json()).toMatchObject({ error: { code } });
    const page = await post(routes.refreshClient("shop"));
    expect(page.status).toBe(status);
    const where = code === "not_found" ? routes.dashboard : routes.client("shop");
    expect(await page.text()).toContain(`href="${where}"`);
  });

  it("says what is so: nobody to ask, still connected", async () => {
    tunnel.refreshStatus = () => Promise.resolve("away");
    expect((await post(routes.refreshClient("shop"))).status).toBe(409);
    expect((await post(routes.forgetClient("shop"))).status).toBe(409);
  });
});

test.each([
  routes.refreshClient("nothing"),
  routes.disconnectClient("nothing"),
  routes.letClientBack("nothing"),
  routes.markClientSeen("nothing"),
  routes.forgetClient("nothing"),
])("%s: there is no such instance", async (path) => {
  expect((await post(path)).status).toBe(404);
});

test.each([routes.client("x"), routes.clientDetails("x"), routes.clientReport("x")])(
  "%s: there is no such instance, or the sign-in has ended",
  async (path) => {
    const answer = await get(path);
    expect(answer.status).toBe(404);
    expect(await answer.text()).toContain("You have no such instance.");
    const id = /session=([^.;]+)/.exec(ann.cookie)?.[1] ?? "";
    await hub.sessionsEnded([id]);
    expect((await get(path)).status).toBe(302);
    expect((await get(path, PIECE)).status).toBe(401);
  },
);

test("a sign-in that ends between two questions is asked for again", async () => {
  const found = await shop();
  pretend({
    find: () => Promise.resolve(found),
    inspect: () => Promise.resolve("signed_out"),
    activity: () => Promise.resolve("signed_out"),
  });
  for (const path of [routes.client("shop"), routes.clientDetails("shop"), routes.clientReport("shop")])
    expect((await get(path, PIECE)).status).toBe(401);
});

test("the list of instances is the dashboard", async () => {
  expect((await get(routes.clients)).headers.get("location")).toBe(routes.dashboard);
});
