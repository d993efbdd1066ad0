/**
 * A minute of two dashboards and forty instances that change, come, go, break off and are acted upon at random, the hub restarted in
 * the middle. In the end both pages show what a page that is opened then shows, and what the instances last said; nothing was
 * reloaded, complained about, or left behind. CROWD_SEED=<number> repeats a run's choices, though not its timing.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Socket } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import type { Page } from "playwright-core";
import { afterAll, beforeAll, expect, it } from "vitest";
import { openDashboard, startStage, type Dashboard, type Puppet, type Stage } from "./pages/stage.ts";
import { random } from "./pages/random.ts";

const INSTANCES = 40;
const LASTS_MS = 60_000;
/** Milliseconds between two things that happen: any up to this. */
const APART_MS = 120;
/** By how much more pages may hold at the end of what they do not show; one leaked card a change would be ten times that. */
const NODES_SLACK = 500;
const LISTENERS_SLACK = 50;
const STATES: SessionState[] = ["needs_permission", "needs_answer", "failed", "done", "working", "idle"];
/** Most urgent first; a session that waits, failed or finished comes before one that works. */
const URGENCY = STATES;

const seed = Number(process.env["CROWD_SEED"] ?? Date.now() % 1_000_000);
const chance = random(seed);

let stage: Stage;
let token: string;
/** Connections of this process to the hub. */
const sockets = new Set<Socket>();

beforeAll(async () => {
  stage = await startStage();
  subscribe("net.client.socket", noteSocket);
  token = await stage.hub.createToken("crowd");
});
afterAll(async () => {
  unsubscribe("net.client.socket", noteSocket);
  await stage.stop();
});

function noteSocket(message: unknown): void {
  const { socket } = message as { socket: Socket };
  sockets.add(socket);
  socket.once("close", () => sockets.delete(socket));
}

/** One instance, and what a page must say of it. */
interface Member {
  clientId: string;
  puppet: Puppet;
  sessions: ClaudeSession[];
  /** What its owner calls it. */
  name: string;
  isHere: boolean;
  /** Its owner sent it away, or has seen what ended: what its card says is the hub's to know. */
  isActedOn: boolean;
}

function sessionsAtRandom(): ClaudeSession[] {
  return Array.from({ length: 1 + chance.below(3) }, (_, index) => ({
    id: `session-${index}`,
    title: `Task ${chance.below(1000)}`,
    project: "/home/dev/project",
    state: chance.among(STATES),
    since: Date.now(),
  }));
}

async function join(index: number, sessions = sessionsAtRandom()): Promise<Member> {
  const clientId = `member-${index}`;
  const puppet = await stage.instance({
    token,
    clientId,
    sessions,
    hostname: `machine-${index % 7}`,
    project: `/home/dev/project-${index % 11}`,
  });
  return { clientId, puppet, sessions, name: "", isHere: true, isActedOn: false };
}

/** Asks the hub as the page does; false where it is refused or the hub is away. */
function post(page: Page, path: string, fields: Record<string, string> = {}): Promise<boolean> {
  return page.evaluate(
    async ([address, form]) => {
      try {
        const init = { method: "POST", headers: { "hx-request": "true" }, body: new URLSearchParams(form) };
        return (await fetch(address, init)).ok;
      } catch {
        return false;
      }
    },
    [path, fields] as const,
  );
}

/** What can happen, the likelier the more often it stands here. */
const happenings: [weight: number, happen: (member: Member, page: Page) => Promise<void>][] = [
  [
    60,
    async (member) => {
      if (!member.isHere) return;
      member.sessions = sessionsAtRandom();
      member.puppet.set(...member.sessions);
    },
  ],
  [
    8,
    async (member) => {
      member.isHere = false;
      await member.puppet.stop();
    },
  ],
  [
    10,
    async (member) => {
      if (member.isHere || member.isActedOn) return;
      const { clientId, name } = member;
      const index = Number(clientId.slice("member-".length));
      Object.assign(member, await join(index), { name });
    },
  ],
  [
    8,
    async () => {
      // As a cable that is cut: the connector finds its way back by itself.
      const toHub = [...sockets].filter((socket) => socket.remotePort === stage.hub.port);
      if (toHub.length > 0) chance.among(toHub).resetAndDestroy();
    },
  ],
  [
    8,
    async (member, page) => {
      const name = chance.below(4) === 0 ? "" : `Name ${chance.below(100)}`;
      if (await post(page, `/clients/${member.puppet.label}/rename`, { name })) member.name = name;
    },
  ],
  [
    4,
    async (member, page) => {
      await post(page, `/clients/${member.puppet.label}/refresh`);
    },
  ],
  [
    3,
    async (member, page) => {
      member.isActedOn = true;
      await post(page, `/clients/${member.puppet.label}/seen`);
    },
  ],
  [
    2,
    async (member, page) => {
      member.isActedOn = true;
      await post(page, `/clients/${member.puppet.label}/disconnect`);
      if (chance.below(2) === 0) await post(page, `/clients/${member.puppet.label}/let-back`);
    },
  ],
];

function anyHappening() {
  let at = chance.below(happenings.reduce((all, [weight]) => all + weight, 0));
  for (const [weight, happen] of happenings) {
    if (at < weight) return happen;
    at -= weight;
  }
  throw new Error("unreachable");
}

/** Every group with its cards in order, and each card's words but for times. */
function boardOf(page: Page): Promise<string[]> {
  return page.evaluate(() => {
    const words = (element: Element): string => {
      const copy = element.cloneNode(true) as Element;
      for (const time of copy.querySelectorAll("time, .card-proof, details")) time.remove();
      return (copy.textContent ?? "").replaceAll(/\s+/g, " ").trim();
    };
    const lists = [...document.querySelectorAll(".cards")].filter((list) => list.childElementCount > 0);
    return lists.flatMap((list) => [
      `group ${list.closest("section")?.querySelector("h2")?.textContent ?? list.id}`,
      ...[...list.children].map((card) => {
        const { state, status, lane, machine, project, order } = (card as HTMLElement).dataset;
        return [card.id, state, status, lane, machine, project, order, words(card)].join(" | ");
      }),
    ]);
  });
}

/** `<client id>: <state> <title>` of each card. */
function saidOf(page: Page): Promise<Record<string, string>> {
  return page.locator(".card").evaluateAll((cards) =>
    Object.fromEntries(
      cards.map((card) => {
        const { clientId = "", state } = (card as HTMLElement).dataset;
        return [clientId, `${state} ${card.querySelector(".card-title bdi")?.textContent}`];
      }),
    ),
  );
}

function expected({ sessions, name, isHere, clientId }: Member): string {
  const state = URGENCY.find((one) => sessions.some((session) => session.state === one)) ?? "idle";
  const project = `project-${Number(clientId.slice("member-".length)) % 11}`;
  return `${isHere ? state : "unreachable"} ${name === "" ? project : name}`;
}

interface Held {
  /** Nodes that are in no document. */
  detached: number;
  listeners: number;
}

/** What a page holds in memory once rubbish is collected. */
async function heldBy({ page, context }: Dashboard): Promise<Held> {
  const devtools = await context.newCDPSession(page);
  for (let time = 0; time < 3; time++) {
    await devtools.send("HeapProfiler.collectGarbage");
    await pause(200);
  }
  const { nodes, jsEventListeners } = await devtools.send("Memory.getDOMCounters");
  const shown = await page.evaluate(() => {
    const walker = document.createTreeWalker(document);
    let count = 1;
    while (walker.nextNode() !== null) count++;
    return count;
  });
  await devtools.detach();
  return { detached: nodes - shown, listeners: jsEventListeners };
}

/** Chromium itself says what failed: the hub was away, and who is gone cannot be asked to look again. */
const isExpected = (text: string): boolean =>
  /WebSocket connection to|net::ERR_|htmx:ws:error|status of 409 .*\/refresh\)/.test(text);

it(`ends with the truth on both pages (seed ${seed})`, { timeout: LASTS_MS + 120_000 }, async () => {
  console.log(`CROWD_SEED=${seed}`);
  const size = { viewport: { width: 1440, height: 900 } };
  const members = await Promise.all(Array.from({ length: INSTANCES }, (_, index) => join(index)));
  const dashboards = [await stage.dashboard(size), await stage.dashboard(size)];
  const [byStatus, byMachine] = dashboards;
  if (byStatus === undefined || byMachine === undefined) throw new Error("There are two.");
  await byMachine.page.goto(`${stage.hub.origin}/dashboard?group=machine`);
  for (const { page } of dashboards)
    await page.waitForFunction((count) => document.querySelectorAll(".card").length === count, INSTANCES);
  await pause(1000);
  for (const { watch } of dashboards) watch.reset();
  const before = await Promise.all(dashboards.map(heldBy));

  await happenFor(LASTS_MS / 2, members, byStatus.page);
  await stage.hub.kill();
  await stage.hub.restart();
  await happenFor(LASTS_MS / 2, members, byStatus.page);
  // Who was in the middle of coming back is there, and what was pushed has come.
  await Promise.all(members.filter(({ isHere }) => isHere).map(({ puppet }) => puppet.connected));

  const wanted = Object.fromEntries(
    members.filter(({ isActedOn }) => !isActedOn).map((member) => [member.clientId, expected(member)]),
  );
  for (const [index, { page, context, watch }] of dashboards.entries()) {
    await expect.poll(() => saidOf(page), { timeout: 20_000, interval: 500 }).toMatchObject(wanted);
    const group = index === 0 ? "status" : "machine";
    const { page: fresh } = await openDashboard(context, `${stage.hub.origin}/dashboard?group=${group}`);
    await expect.poll(() => boardOf(page), { timeout: 5000 }).toEqual(await boardOf(fresh));
    expect(await page.title()).toBe(await fresh.title());
    expect(await page.textContent("#counts")).toBe(await fresh.textContent("#counts"));
    await fresh.close();
    expect([watch.navigations, watch.complaints.filter((text) => !isExpected(text))]).toEqual([[], []]);
    expect(await page.isHidden("#not-connected")).toBe(true);
  }
  const after = await Promise.all(dashboards.map(heldBy));
  console.log("held before and after", JSON.stringify([before, after]));
  for (const [index, held] of after.entries()) {
    expect(held.detached - (before[index]?.detached ?? 0)).toBeLessThan(NODES_SLACK);
    expect(held.listeners - (before[index]?.listeners ?? 0)).toBeLessThan(LISTENERS_SLACK);
  }
});

async function happenFor(milliseconds: number, members: readonly Member[], page: Page): Promise<void> {
  const until = Date.now() + milliseconds;
  let count = 0;
  while (Date.now() < until) {
    await anyHappening()(chance.among(members), page);
    count++;
    await pause(chance.below(APART_MS));
  }
  console.log(`${count} things happened`);
}
