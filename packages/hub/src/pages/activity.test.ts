import { env } from "cloudflare:workers";
import { afterEach, beforeAll, expect, test, vi } from "vitest";
import type { ActivityEntry, Happening } from "../activity.ts";
import type { ActivityPage, ActivityQuery, UserHubRpc } from "../contracts.ts";
import { routes } from "../routes.ts";
import { here, withTunnels, type Hub } from "../../test/dashboards.ts";
import { ask, connected, signedIn, type Person } from "../../test/hub.ts";

const NOON = Date.UTC(2026, 1, 3, 12);
const HOUR = 60 * 60_000;
let ann: Person;
let hub: Hub;
const shop = "shop-abcdefghij";

beforeAll(async () => {
  ann = await signedIn("ann");
  hub = env.USER_HUB.getByName("ann");
  await withTunnels(hub, here);
  await hub.instanceConnected(connected("shop"));
  await hub.instanceConnected(connected("docs"));
  const session = { id: "s", title: "Fix the flaky test", project: "/p", since: 1 };
  const at = Date.now();
  for (const [index, state] of (["working", "needs_permission", "failed"] as const).entries())
    await hub.instanceStatus("shop", { status: "busy", sessions: [{ ...session, state }], at: at + index });
  await hub.act("docs", { action: "rename", name: "Handbook" }, "ann");
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

async function page(query = "", person = ann, headers: Record<string, string> = {}): Promise<string> {
  const answer = await ask(`${routes.activity}${query}`, { person, headers });
  expect(answer.status).toBe(200);
  return answer.text();
}

/** The lines as people read them. */
function lines(html: string): string[] {
  return [...html.matchAll(/<li class="line event".*?<\/li>/gs)].map(([line]) =>
    line
      .replace(/<time.*?<\/time>/s, "")
      .replaceAll(/<[^>]*>/g, " ")
      .replaceAll(/\s+/g, " ")
      .trim(),
  );
}

const entry = (id: number, at: number, what: Happening): ActivityEntry => ({
  id,
  at,
  label: shop,
  title: "shop",
  ...what,
});
const stopped: Happening = { kind: "gone", reason: "stopped" };

/** The page as it is where the hub has these entries; returns what it was asked for. */
async function pretended(answer: Partial<ActivityPage>, query: string, headers = {}) {
  const asked: ActivityQuery[] = [];
  const stub = {
    list: () => Promise.resolve([]),
    activity: (_session, wanted) => {
      asked.push(wanted);
      return Promise.resolve({ entries: [], next: null, ...answer });
    },
  } satisfies Partial<{ [K in keyof UserHubRpc]: unknown }> & Pick<UserHubRpc, "activity">;
  vi.spyOn(Object.getPrototypeOf(env.USER_HUB) as typeof env.USER_HUB, "getByName").mockReturnValue(
    stub as unknown as Hub,
  );
  return { html: await page(query, ann, headers), asked };
}

test("what happened to all instances, newest first, under today", async () => {
  const html = await page();
  expect(lines(html)).toEqual([
    "docs renamed to Handbook by ann",
    "shop failed Fix the flaky test",
    "shop needs permission Fix the flaky test",
    "shop working Fix the flaky test",
    "docs connected for the first time",
    "shop connected for the first time",
  ]);
  expect(html).toMatch(/<h2[^>]*><time datetime="\d{4}-\d\d-\d\d">Today</);
  expect(html).toContain(`href="${routes.client(shop)}"`);
  expect(html).toMatch(/href="\/activity"[^>]*aria-current="page"/);
  expect(html).toContain("<title>Activity · Orchestrator</title>");
});

test.each([
  ["?show=sessions", 3],
  ["?show=errors", 1],
  ["?show=actions", 1],
  ["?show=connections", 2],
  ["?q=flaky", 3],
  ["?q=FLAKY&show=errors", 1],
  ["?q=+handbook+", 1],
  [`?instance=${shop}`, 4],
  ["?instance=shop&show=connections", 1],
  ["?show=&instance=&q=", 6],
  // What cannot be read asks for nothing.
  ["?show=everything&before=soon", 6],
  ["?before=-1", 6],
  ["?before=99999999999999999999", 6],
  ["?before=1", 0],
  [`?q=${"x".repeat(5000)}`, 0],
  ["?q=%F0%9F&q=%00", 0],
])("%s shows %i entries", async (query, count) => {
  expect(lines(await page(query))).toHaveLength(count);
});

test("of one instance: its own title, its name in the chooser, not on each line", async () => {
  const html = await page("?instance=docs&show=actions");
  expect(html).toContain("<title>Activity of Handbook · Orchestrator</title>");
  expect(html).toContain("<h1><bdi>Handbook</bdi></h1>");
  expect(html).toMatch(/<option value="docs-abcdefghij" selected="">Handbook \(laptop\)/);
  expect(lines(html)).toEqual(["renamed to Handbook by ann"]);
  // Other filters are of the same instance.
  expect(html).toContain('href="/activity?show=errors&amp;instance=docs-abcdefghij"');
});

test("an instance that was forgotten has left its activity, and is called what it was called", async () => {
  const { html } = await pretended({ entries: [entry(1, NOON, stopped)] }, `?instance=${shop}`);
  expect(html).toContain("<h1><bdi>shop</bdi></h1>");
  expect(html).toContain(`<option value="${shop}" selected="">shop</option>`);
  const { html: empty } = await pretended({}, "?instance=gone-abcdefghij");
  expect(empty).toContain("<h1><bdi>gone-abcdefghij</bdi></h1>");
  expect(empty).toContain("Nothing has happened on this instance yet.");
  expect(empty).toContain(`href="${routes.activity}">Every instance`);
});

test("what is no instance at all is not found", async () => {
  const answer = await ask(`${routes.activity}?instance=${encodeURIComponent("<script>")}`, { person: ann });
  expect(answer.status).toBe(404);
  expect(await answer.text()).toContain("You have no such instance.");
});

test("nobody reads of another's", async () => {
  const eve = await signedIn("eve");
  expect(lines(await page("", eve))).toEqual([]);
  expect(lines(await page(`?instance=${shop}`, eve))).toEqual([]);
});

test("a sign-in that has ended reads nothing", async () => {
  const bob = await signedIn("bob");
  const id = /session=([^.;]+)/.exec(bob.cookie)?.[1] ?? "";
  await env.USER_HUB.getByName("bob").sessionsEnded([id]);
  const answer = await ask(routes.activity, { person: bob });
  expect(answer.status).toBe(302);
  const piece = await ask(routes.activity, { person: bob, headers: { "hx-request": "true" } });
  expect(piece.status).toBe(401);
});

test("days have the headings that the reader's clock gives them", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: NOON });
  const at = NOON - 13 * HOUR;
  const { cookie: own } = await signedIn("ann");
  const answer = { entries: [entry(2, NOON - HOUR, stopped), entry(1, at, stopped)] };
  const days = (html: string) => [...html.matchAll(/<h2[^>]*><time[^>]*>([^<]*)/g)].map(([, day]) => day);
  const times = (html: string) =>
    [...html.matchAll(/<time class="since"[^>]*>([^<]*)/g)].map(([, one]) => one);
  const cookie = (zone: string) => ({ cookie: `${own}; __Host-orchestrator-time-zone=${zone}` });
  const utc = await pretended(answer, "", { cookie: own });
  expect(days(utc.html)).toEqual(["Today", "Yesterday"]);
  expect(times(utc.html)).toEqual(["11:00", "23:00"]);
  expect(utc.html).toContain("Times are UTC.");
  const vienna = await pretended(answer, "", cookie("Europe/Vienna"));
  expect(days(vienna.html)).toEqual(["Today"]);
  expect(times(vienna.html)).toEqual(["12:00", "00:00"]);
  expect(vienna.html).not.toContain("Times are UTC.");
  expect(times((await pretended(answer, "", cookie("No/Where"))).html)).toEqual(["11:00", "23:00"]);
});

test("says that a part is missing where the archive could not be read, and nothing of it elsewhere", async () => {
  const entries = [entry(9, NOON, stopped)];
  expect((await pretended({ entries, isIncomplete: true }, "")).html).toContain("cannot be read now");
  expect((await pretended({ entries }, "")).html).not.toContain("cannot be read now");
});

test("older entries are a link away, also where few were found but there is more to search", async () => {
  const full = await pretended({ entries: [entry(9, NOON, stopped)], next: 9 }, "?show=errors&q=x");
  expect(full.html).toContain('href="/activity?show=errors&amp;q=x&amp;before=9" rel="next">Older</a>');
  expect(full.html).not.toContain("Newest");
  const none = await pretended({ next: 5 }, "?show=errors&before=9");
  expect(none.asked).toEqual([{ filter: "errors", before: 9 }]);
  expect(none.html).toContain("Nothing like it so far.");
  expect(none.html).toContain('before=5" rel="next">Search what is older</a>');
  expect(none.html).toContain('href="/activity?show=errors">Newest</a>');
  // Another kind begins with its newest.
  expect(none.html).toContain('href="/activity?show=actions"');
});

test.each([
  ["", "Nothing has happened yet. Connect an instance", `href="${routes.dashboard}">Instances`],
  ["?show=errors", "Nothing like it has happened.", `href="${routes.activity}">Show everything`],
  [`?q=x&instance=${shop}`, "Nothing like it has happened.", `instance=${shop}">Show everything`],
  ["?before=5", "There is nothing older.", `href="${routes.activity}">Newest`],
])("%s with nothing to show says so and where to go", async (query, words, link) => {
  const { html } = await pretended({}, query);
  expect(html).toContain(words);
  expect(html).toContain(link);
});

test("what instances and people wrote is text", async () => {
  const hostile = `<img src=x onerror=alert(1)>"'`;
  const what: Happening[] = [
    { kind: "action", action: "rename", actor: hostile, name: hostile },
    {
      kind: "status",
      status: "busy",
      before: "idle",
      sessions: [
        { id: "a", title: hostile, project: hostile, state: "failed", since: 1 },
        { id: "b", title: hostile, project: hostile, state: "done", since: 1 },
      ],
    },
  ];
  const entries = what.map((one, index) => ({ ...entry(index, NOON, one), title: hostile }));
  const { html } = await pretended({ entries }, `?q=${encodeURIComponent(hostile)}`);
  expect(html).not.toContain("<img");
  expect(html).not.toMatch(/<[^>"]*(?:"[^"]*"[^>"]*)*\son\w+=/);
  expect(lines(html)).toHaveLength(2);
});
