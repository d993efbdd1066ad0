/**
 * What a person's hub costs, in the units that are billed, against what docs/cost.md says: every event of its first table is made
 * to happen and counted, and its other tables must follow from that one. The clock is the test's; heartbeats are really sent.
 */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { HEARTBEAT_PING, HEARTBEAT_PONG, type SessionState } from "@ai-orchestrator/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import document from "../../../docs/cost.md?raw";
import { TestBrowser } from "../test/browser.ts";
import { readCostDocument, type Units } from "../test/cost-document.ts";
import { FakeGitHub } from "../test/fake-github.ts";
import { connectFake, dial, type FakeConnector } from "../test/fake-connector.ts";
import { cookiePair, HUB } from "../test/hub.ts";
import { installMeter, live, metered, nothing, sum, type Counts } from "../test/meter.ts";
import { askPath } from "../test/path-viewer.ts";
import { openWebSocket, tunnelOf, view } from "../test/viewer.ts";
import { accessCookie } from "./auth/access-cookie.ts";
import { ACCESS_MS, signIn } from "./auth/session.ts";
import { issueInstanceToken } from "./auth/token.ts";
import { saveAllowedEntity } from "./db/allowed-entities.ts";
import { upsertUser } from "./db/users.ts";
import { instanceLabel, instanceOrigin } from "./origins.ts";
import { instanceRoutes, routes } from "./routes.ts";
import type { UserHub } from "./user-hub/user-hub.ts";

/** Later than any real clock: alarms go off when the test says so. */
const START = Date.UTC(2090, 0, 1);
const SECOND_MS = 1000;
const MINUTE_MS = 60 * SECOND_MS;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const HEARTBEAT_MS = 30 * SECOND_MS;

/** How long an object works at something that comes, at most on the average, and what it is billed as; not measured. */
const SECONDS_IN_MEMORY = 0.02;
const GIGABYTES = 0.128;
const PLAN_USD = 5;

const INSTANCES = 5;
const CHANGES = 60;
const ids = Array.from({ length: INSTANCES }, (_, index) => `instance-${index}`);

const cost = readCostDocument(document);

const github = new FakeGitHub({ origin: "http://github.localhost", now: () => Date.now() });
const acme = github.addOrganization("acme");
github.install("acme");
Object.assign(env, github.settings);
const ann = github.addUser("ann");
github.join("acme", "ann");
const owner = `github:${ann.id}`;

let hub: DurableObjectStub<UserHub>;
let token: string;
let browser: TestBrowser;
const connectors = new Map<string, FakeConnector>();
/** When each instance last sent a heartbeat, by its id. */
const beatAt = new Map<string, number>();

beforeAll(async () => {
  await installMeter();
  vi.useFakeTimers({ toFake: ["Date"], now: START });
  vi.stubGlobal("fetch", (input: RequestInfo, init?: RequestInit) => github.fetch(new Request(input, init)));
  await saveAllowedEntity(env.DB, { kind: "organization", id: acme.id, name: "acme", role: "member" }, null);
  await upsertUser(env.DB, { id: owner, login: "ann", name: "Ann" });
  hub = env.USER_HUB.getByName(owner);
  const member = { kind: "organization", id: acme.id, name: "acme", state: "active" } as const;
  await hub.signedIn(github.grantFor("ann"), {
    userId: ann.id,
    login: "ann",
    of: [member],
    checkedAt: START,
  });
  browser = new TestBrowser();
  for (const cookie of (await signIn(new Request(HUB), env, owner)).map(cookiePair)) {
    const [name = "", value = ""] = cookie.split(/=(.*)/);
    browser.cookies.set(name, value);
  }
  ({ text: token } = await issueInstanceToken(env.DB, { userId: owner, name: "test" }));
  await provenByTestClock();
  for (const id of ids) await connect(id);
});

afterAll(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** The platform says by its own clock when it answered a heartbeat; here it is the test's. */
async function provenByTestClock(): Promise<void> {
  await runInDurableObject(await tunnelOf(owner, "any"), (_object, state) => {
    const State = Object.getPrototypeOf(state) as {
      getWebSocketAutoResponseTimestamp: (socket: WebSocket) => Date | null;
    };
    const platform = State.getWebSocketAutoResponseTimestamp;
    State.getWebSocketAutoResponseTimestamp = function (socket) {
      const { clientId } = socket.deserializeAttachment() as { clientId: string };
      return platform.call(this, socket) === null ? null : new Date(beatAt.get(clientId) ?? 0);
    };
  });
}

const pass = (milliseconds: number): unknown => vi.setSystemTime(Date.now() + milliseconds);

/** Real milliseconds, for what the objects do by themselves once they have been called. */
const moment = (milliseconds = 50): Promise<unknown> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Resolves once a method has been called this often since counting began. */
async function called(method: string, times: number): Promise<void> {
  const deadline = performance.now() + 5000;
  while ((live().calls[method] ?? 0) < times) {
    if (performance.now() > deadline) throw new Error(`${method} was not called ${times} times.`);
    await moment(0);
  }
}

async function connect(id: string): Promise<void> {
  connectors.set(id, await connectFake(token, id));
  beatAt.set(id, Date.now());
  await moment();
}

function connector(id: string): FakeConnector {
  const found = connectors.get(id);
  if (found === undefined) throw new Error(`${id} is not connected.`);
  return found;
}

/** Takes every object out of memory, as the platform does 10 s after its last work; their sockets stay. */
async function hibernate(which: readonly string[] = ids): Promise<void> {
  const stubs = [hub, ...(await Promise.all(which.map((id) => tunnelOf(owner, id))))];
  for (const stub of stubs) {
    await evictDurableObject(stub, { webSockets: "hibernate" }).catch((error: unknown) => {
      // It is where it should be.
      if (!String(error).includes("not currently running")) throw error;
    });
  }
}

/** Sends the platform's heartbeat and waits for its answer. */
async function beat(id: string): Promise<void> {
  const { socket } = connector(id);
  const answered = new Promise<void>((resolve) => {
    const listen = ({ data }: MessageEvent): void => {
      if (data !== HEARTBEAT_PONG) return;
      socket.removeEventListener("message", listen);
      resolve();
    };
    socket.addEventListener("message", listen);
  });
  socket.send(HEARTBEAT_PING);
  await answered;
  beatAt.set(id, Date.now());
}

let changes = 0;

/** A change that people see: a session that begins or ends. */
async function change(id: string, times: number): Promise<void> {
  const state: SessionState = changes++ % 2 === 0 ? "working" : "done";
  const sessions = [
    { id: "session", title: "Fix it", state, since: Date.now(), project: "/home/ann/project" },
  ];
  connector(id).sendStatus({ status: state === "working" ? "busy" : "idle", sessions });
  await called("UserHub.instanceStatus", times);
}

/** What was counted, by the columns of the document. */
function units(counts: Counts, { workerRequests = 0, answered = 0 }: Asked): Units {
  const { true: messages = [], false: requests = [] } = Object.groupBy(
    Object.entries(counts.calls),
    ([name]) => String(name.endsWith(".webSocketMessage")) as "true" | "false",
  );
  return {
    "Worker requests": workerRequests,
    "object requests": sum(Object.fromEntries(requests)),
    messages: sum(Object.fromEntries(messages)),
    "answered messages": answered,
    "rows written": sum(counts.rows),
    "D1 rows written": counts.d1Rows,
    "R2 writes": sum(counts.r2),
  };
}

test(
  "a day of heartbeats wakes nothing, writes nothing and leaves nothing to do",
  { timeout: 60_000 },
  async () => {
    await hibernate();
    let beats = 0;
    const counts = await metered(async () => {
      for (let elapsed = 0; elapsed < DAY_MS; elapsed += HEARTBEAT_MS) {
        pass(HEARTBEAT_MS);
        await Promise.all(ids.map(beat));
        beats += ids.length;
      }
    });
    expect(counts).toEqual(nothing());
    expect(beats).toBe(cost.day["a heartbeat"]);
    for (const stub of [hub, ...(await Promise.all(ids.map((id) => tunnelOf(owner, id))))])
      expect(await runInDurableObject(stub, (_object, { storage }) => storage.getAlarm())).toBeNull();
  },
);

let page: WebSocket | undefined;

async function openPage(): Promise<void> {
  const response = await browser.open(routes.dashboardSocket, { upgrade: "websocket", origin: HUB });
  if (response.webSocket === null) throw new Error(`No socket: ${response.status}`);
  page = response.webSocket;
  const told = new Promise((resolve) => page?.addEventListener("message", resolve, { once: true }));
  page.accept();
  await told;
}

/**
 * An hour of a page that somebody looks at: heartbeats come at different times, and the page asks as live.js does, once the
 * oldest proof it knows of is a minute old. Returns how many messages the platform answered by itself.
 */
async function lookForAnHour(): Promise<number> {
  const [stepMs, pageProofs] = [HEARTBEAT_MS / INSTANCES, new Map(beatAt)];
  let [answered, looks] = [0, 0];
  for (let step = 0; step < HOUR_MS / stepMs; step++) {
    pass(stepMs);
    await beat(ids[step % INSTANCES] ?? "");
    answered++;
    if (step % INSTANCES === 0) {
      page?.send("ping");
      answered++;
    }
    if (Math.min(...ids.map((id) => pageProofs.get(id) ?? 0)) + MINUTE_MS > Date.now()) continue;
    page?.send("look");
    await called("Tunnel.presence", ++looks * INSTANCES);
    for (const [id, at] of beatAt) pageProofs.set(id, at);
  }
  return answered;
}

/** As a browser that has no cookie of the instance: there, to the hub for a code, back with it, and the page. */
async function openInstance(id: string): Promise<number> {
  const label = await instanceLabel(owner, id);
  const { host } = new URL(instanceOrigin(label, env) ?? "");
  const navigation = { "sec-fetch-mode": "navigate", "sec-fetch-dest": "document", accept: "text/html" };
  const goTo = (path: string, cookie = ""): Promise<Response> =>
    exports.default.fetch(new URL(path, `http://${host}`), {
      headers: { ...navigation, host, cookie },
      redirect: "manual",
    });
  const cookiesOf = (response: Response): string =>
    response.headers.getSetCookie().map(cookiePair).join("; ");
  const whereTo = (response: Response): string => response.headers.get("location") ?? "";
  const sentAway = await goTo("/");
  const atHub = await browser.open(whereTo(sentAway), { ...navigation, "sec-fetch-site": "same-site" });
  const letIn = await goTo(whereTo(atHub), cookiesOf(sentAway));
  const shown = await goTo(whereTo(letIn), cookiesOf(letIn));
  expect([shown.status, await shown.text()]).toEqual([200, "hello"]);
  return 4;
}

/** An hour of an instance's page that somebody looks at: its mark asks as mark.js does, with every second heartbeat. */
async function showMarkForAnHour(): Promise<Asked> {
  const headers = { upgrade: "websocket" };
  const { webSocket: mark } = await view(owner, "instance-0", instanceRoutes.presence, { headers });
  if (mark === null) throw new Error("No socket for the mark.");
  mark.accept();
  for (let minute = 1; minute <= HOUR_MS / MINUTE_MS; minute++) {
    pass(MINUTE_MS);
    beatAt.set("instance-0", Date.now());
    mark.send(HEARTBEAT_PING);
    mark.send(HEARTBEAT_PING);
    mark.send("look");
    await called("Tunnel.webSocketMessage", minute);
  }
  mark.close(1000, "");
  await called("Tunnel.webSocketClose", 1);
  return { workerRequests: 1, answered: (2 * HOUR_MS) / MINUTE_MS };
}

async function sendThroughTunnel(messages: number): Promise<number> {
  const opened = await openWebSocket(owner, "instance-0");
  for (let index = 0; index < messages; index++) {
    opened.socket.send(`message ${index}`);
    expect(await opened.next()).toBe(`message ${index}`);
  }
  opened.socket.close(1000, "");
  await called("Tunnel.webSocketClose", 1);
  return 1;
}

const FIRST = "an instance connects for the first time";
const BY_PATH = "a request in path mode";
const MAY_RETURN = "an instance that was sent away asks whether it may return";

/** The cookie by which a browser that has just been asked after is believed. */
async function freshAccess(): Promise<string> {
  const [id = ""] = (browser.cookie("session") ?? "").split(".");
  const until = Date.now() + ACCESS_MS;
  const session = { id, userId: owner, login: "ann", name: "Ann", role: "member", until } as const;
  return cookiePair(await accessCookie(env, session));
}

/** What comes before an event and is not counted with it. */
const prepared: Record<string, () => Promise<unknown>> = {
  [MAY_RETURN]: async () => {
    await connect("instance-away");
    connectors.delete("instance-away");
    await hub.act("instance-away", { action: "disconnect" }, "ann");
  },
  [BY_PATH]: () => hub.act("instance-0", { action: "trust_path" }, "ann"),
};

/** What puts things back after an event. */
const undone: Record<string, () => Promise<unknown>> = {
  [FIRST]: async () => {
    connector("instance-new").socket.close(1000, "");
    connectors.delete("instance-new");
    await moment(100);
    return hub.act("instance-new", { action: "forget" }, "ann");
  },
  [BY_PATH]: () => hub.act("instance-0", { action: "distrust_path" }, "ann"),
};

interface Asked {
  workerRequests?: number;
  /** Messages that the platform answered without an object. */
  answered?: number;
}

/** What makes each event of the document happen, in this order; each begins with nothing in memory. */
const happenings: Record<string, () => Promise<Asked>> = {
  "a heartbeat": async () => {
    await beat("instance-0");
    return { answered: 1 };
  },
  "a status change": async () => {
    await change("instance-0", 1);
    return {};
  },
  "GitHub is asked again": async () => {
    pass(9 * HOUR_MS);
    expect(await hub.admission()).toEqual({ admitted: true, role: "member" });
    return {};
  },
  "an instance goes": async () => {
    connector("instance-1").socket.close(1000, "");
    connectors.delete("instance-1");
    await called("UserHub.instanceGone", 1);
    return {};
  },
  "an instance connects again": async () => {
    await connect("instance-1");
    return { workerRequests: 1 };
  },
  [FIRST]: async () => {
    await connect("instance-new");
    return { workerRequests: 1 };
  },
  "an instance is opened": async () => ({ workerRequests: await openInstance("instance-0") }),
  "a request through the tunnel": async () => {
    await (await view(owner, "instance-0", "/")).text();
    return { workerRequests: 1 };
  },
  [BY_PATH]: async () => {
    const prefix = routes.clientProxy(await instanceLabel(owner, "instance-0"));
    const headers = { cookie: await freshAccess(), referer: `${HUB}${prefix}/` };
    const answer = await askPath(`${prefix}/`, { headers });
    expect([answer.status, await answer.text()]).toEqual([200, "hello"]);
    return { workerRequests: 1 };
  },
  "a WebSocket through the tunnel, 100 messages each way": async () => ({
    workerRequests: await sendThroughTunnel(100),
  }),
  "an hour before an instance's page": showMarkForAnHour,
  "a dashboard is opened": async () => {
    await (await browser.open(routes.dashboard)).text();
    await openPage();
    return { workerRequests: 2 };
  },
  "an hour of looking": async () => ({ answered: await lookForAnHour() }),
  "a dashboard is closed": async () => {
    page?.close(1000, "");
    await called("UserHub.webSocketClose", 1);
    return {};
  },
  [MAY_RETURN]: async () => {
    expect((await dial(token, "instance-away")).status).toBe(403);
    return { workerRequests: 1 };
  },
};

/** What is counted begins with nothing in memory, some time after anything was asked, and with GitHub's answer new. */
async function restAWhile(): Promise<void> {
  pass(HOUR_MS);
  await Promise.all([...connectors.keys()].map(beat));
  await hub.admission();
  await moment();
  await hibernate();
}

test("each event costs what the document says", { timeout: 60_000 }, async () => {
  const found: Record<string, Units> = {};
  for (const [event, happen] of Object.entries(happenings)) {
    await prepared[event]?.();
    await restAWhile();
    let asked: Asked = {};
    const counts = await metered(async () => {
      asked = await happen();
      await moment(100);
    });
    found[event] = units(counts, asked);
    await undone[event]?.();
  }
  // What happens once a day is counted over whole days, below.
  const { "an entry is archived": _entry, "a day is archived": _day, ...documented } = cost.events;
  expect(found).toEqual(documented);
});

test(`a day of ${CHANGES} changes an instance costs as many events`, { timeout: 120_000 }, async () => {
  let counts = nothing();
  // The day before yesterday is archived, so the third day is as every day after it.
  for (let day = 1; day <= 3; day++) {
    pass(DAY_MS - (Date.now() % DAY_MS));
    await hibernate();
    counts = await metered(async () => {
      for (let made = 0; made < CHANGES * INSTANCES; made++) {
        pass(4 * MINUTE_MS);
        // Between two changes nothing stays in memory; to do so each time would take the test a minute.
        if (made % 50 === 0) await hibernate();
        await change(ids[made % INSTANCES] ?? "", made + 1);
      }
      await moment(300);
    });
  }
  const times = { "a status change": 300, "an entry is archived": 300, "a day is archived": 1 };
  expect(counts.calls).toEqual({ "Tunnel.webSocketMessage": 300, "UserHub.instanceStatus": 300 });
  expect(counts.rows).toEqual({ instances: 300, activity: 600, activity_archives: 1 });
  expect([counts.d1Rows, counts.r2]).toEqual([0, { put: 1 }]);
  expect(units(counts, {})).toEqual(total(times));
});

/** What these events cost together, by the document. */
function total(times: Record<string, number>): Units {
  const all: Units = {};
  for (const [event, count] of Object.entries(times)) {
    const each = cost.events[event];
    if (each === undefined) throw new Error(`The document does not say what "${event}" costs.`);
    for (const [unit, one] of Object.entries(each)) all[unit] = (all[unit] ?? 0) + one * count;
  }
  return all;
}

test("a month for 1,000 people follows from what the events cost", () => {
  const month = Object.fromEntries(
    Object.entries(total(cost.day)).map(([unit, count]) => [unit, count * 30 * 1000]),
  );
  const used = (unit: string): number => month[unit] ?? 0;
  const handled = used("object requests") + used("messages") / 20;
  const seconds = (used("object requests") + used("messages")) * SECONDS_IN_MEMORY;
  const expected: Record<string, number> = {
    "Worker requests": used("Worker requests"),
    "object requests, messages counted 20 to 1": handled,
    "GB-seconds": Math.round(seconds * GIGABYTES),
    "rows written": used("rows written"),
    "D1 rows written": used("D1 rows written"),
    "R2 writes": used("R2 writes"),
    "answered messages, 20 to 1": used("answered messages") / 20,
  };
  const said = Object.fromEntries(Object.entries(cost.month).map(([unit, line]) => [unit, line.used]));
  expect(said).toEqual(expected);
  for (const { used: count, included, price, usd } of Object.values(cost.month))
    expect(usd).toBe(Math.round((Math.max(0, count - included) * price) / 10_000) / 100);
  const bill = Object.entries(cost.month).filter(([unit]) => !unit.startsWith("answered"));
  const sumOf = (lines: typeof bill): number => lines.reduce((all, [, line]) => all + line.usd, PLAN_USD);
  expect(document).toContain(`**${sumOf(bill).toFixed(2)} USD**`);
  expect(document).toContain(`**${sumOf(Object.entries(cost.month)).toFixed(2)} USD**`);
});
