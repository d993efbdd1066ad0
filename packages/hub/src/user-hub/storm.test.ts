/** What many instances cost their person's hub, counted: rows it reads, calls it makes, messages it sends, cards it draws. */
import { runInDurableObject } from "cloudflare:test";
import { expect, test, vi } from "vitest";
import { here, newPerson, openPage, withTunnels, type Hub, type Page } from "../../test/dashboards.ts";
import { ask, connected } from "../../test/hub.ts";
import { routes } from "../routes.ts";
import { ASKED_AT_ONCE } from "./presence.ts";
import type { UserHub } from "./user-hub.ts";

const MANY = 300;
/** What a message brings at most; a page draws it in one go. */
const CARDS_IN_A_MESSAGE = 50;

const ids = Array.from({ length: MANY }, (_, index) => `c${index}`);
const report = (at: number) => ({ status: "busy" as const, sessions: [], at });

async function connectAll(hub: Hub): Promise<void> {
  await runInDurableObject(hub, async (object: UserHub) => {
    for (const id of ids) await object.instanceConnected(connected(id));
  });
}

/** Rows that the object reads meanwhile. */
async function rowsRead(hub: Hub, during: (object: UserHub) => Promise<unknown>): Promise<number> {
  const cursors: SqlStorageCursor<Record<string, SqlStorageValue>>[] = [];
  await runInDurableObject(hub, async (object: UserHub, { storage }) => {
    const prototype = Object.getPrototypeOf(storage.sql) as Pick<SqlStorage, "exec">;
    const spy = vi.spyOn(prototype, "exec");
    try {
      await during(object);
      cursors.push(...spy.mock.results.map(({ value }) => value as (typeof cursors)[number]));
    } finally {
      spy.mockRestore();
    }
  });
  return cursors.reduce((sum, cursor) => sum + cursor.rowsRead, 0);
}

const cardsIn = (message: string): number => message.split("data-client-id=").length - 1;
const cards = (page: Page): number => page.messages.reduce((sum, message) => sum + cardsIn(message), 0);

test("a storm reads a few rows a change, and sends each card once or twice, in messages of bounded size", async () => {
  const { person, hub } = await newPerson("storm");
  await connectAll(hub);
  const pages = [await openPage(person), await openPage(person, "?group=machine")];
  for (const { messages } of pages) messages.length = 0;
  const read = await rowsRead(hub, async (object) => {
    for (const id of ids) await object.instanceStatus(id, report(Date.now() + 1000));
    for (const page of pages) await vi.waitFor(() => expect(cards(page)).toBeGreaterThanOrEqual(MANY));
  });
  console.log(`${(read / MANY).toFixed(1)} rows read a change, ${pages[0]?.messages.length} messages`);
  // The report's own, what became of it for pages, all of them once for the counts, and now and then how much activity there is.
  expect(read / MANY).toBeLessThan(20);
  for (const page of pages) {
    expect(cards(page)).toBeLessThanOrEqual(2 * MANY);
    expect(Math.max(...page.messages.map(cardsIn))).toBeLessThanOrEqual(CARDS_IN_A_MESSAGE);
    expect(page.messages.filter((message) => message.includes(`id="counts"`)).length).toBeLessThan(30);
  }
});

test("connecting costs the same for the last as for the first, before an open page as well", async () => {
  const { person, hub } = await newPerson("connects");
  const page = await openPage(person);
  const read = await rowsRead(hub, async (object) => {
    for (const id of ids) await object.instanceConnected(connected(id));
    await vi.waitFor(() => expect(cards(page)).toBe(MANY));
  });
  console.log(`${(read / MANY).toFixed(1)} rows read a connection`);
  expect(read / MANY).toBeLessThan(20);
});

test("a look asks a bounded number of Tunnels: those in view, and of the others the ones not asked for longest", async () => {
  const { person, hub } = await newPerson("looks");
  const asked: string[] = [];
  await withTunnels(hub, (label) => {
    asked.push(label);
    return here();
  });
  await connectAll(hub);
  const page = await openPage(person);
  await vi.waitFor(() => expect(asked).toHaveLength(ASKED_AT_ONCE));
  const inView = ids.slice(-20).map((id) => `${id}-abcdefghij`);
  asked.length = 0;
  page.send(["look", ...inView, "NO LABEL"].join(" "));
  await vi.waitFor(() => expect(asked).toEqual(inView));
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 16_000 });
  try {
    const all = new Set<string>();
    for (let look = 0; look < MANY / ASKED_AT_ONCE + 1; look++) {
      asked.length = 0;
      page.send("look");
      await vi.waitFor(() => expect(asked).toHaveLength(ASKED_AT_ONCE));
      for (const label of asked) all.add(label);
      vi.setSystemTime(Date.now() + 16_000);
    }
    expect(all.size).toBe(MANY);
  } finally {
    vi.useRealTimers();
  }
});

test("a page that connects is sent what has changed since it was drawn, and everything where that is not known", async () => {
  const { person, hub } = await newPerson("since");
  await connectAll(hub);
  const html = await (await ask(routes.dashboard, { person })).text();
  const [, since = ""] = /since=([\w.-]+)/.exec(html) ?? [];
  const nothing = await openPage(person, `?since=${since}`);
  expect(cards(nothing)).toBe(0);
  expect(nothing.messages[0]).toContain("data-now=");
  await runInDurableObject(hub, async (object: UserHub) => {
    await object.instanceStatus("c1", report(Date.now() + 1000));
    await object.instanceConnected(connected("late"));
    await object.instanceConnected(connected("brief"));
    for (const gone of ["c2", "brief"]) {
      await object.instanceGone(gone, Date.now(), "stopped", Date.now() + 1000);
      await object.act(gone, { action: "forget" }, "ann");
    }
  });
  const some = await openPage(person, `?since=${since}`);
  const told = some.messages.join("");
  expect(cards(some)).toBe(2);
  expect(told).toMatch(/hx-target="#card-c1-abcdefghij" hx-swap="outerMorph"/);
  expect(told).toMatch(/hx-target="#arrivals" hx-swap="beforeend"><li class="card" id="card-late-/);
  expect(told).toMatch(/hx-target="#card-c2-abcdefghij" hx-swap="delete"/);
  // One that lost its connection and is back was shown this one meanwhile.
  expect(told).toMatch(/hx-target="#card-brief-abcdefghij" hx-swap="delete"/);
  const another = since.replace(/^./, (digit) => (digit === "0" ? "1" : "0"));
  for (const unknown of ["", another, `${since}9`, "x.1"])
    expect(cards(await openPage(person, `?since=${unknown}`))).toBe(MANY);
});
