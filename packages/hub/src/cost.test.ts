/**
 * What a person's hub costs, in the units that are billed, against what docs/cost.md says: every event of its first table is made
 * to happen and counted, and its other tables must follow from that one. The clock is the test's; heartbeats are really sent.
 */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import {
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  type RequestHead,
  type SessionState,
  type Stream,
} from "@ai-orchestrator/protocol";
import { afterAll, beforeAll, expect, test, vi } from "vitest";
import document from "../../../docs/cost.md?raw";
import { TestBrowser } from "../test/browser.ts";
import { readCostDocument, type BillLine, type Units } from "../test/cost-document.ts";
import { FakeGitHub } from "../test/fake-github.ts";
import { connectFake, dial, type FakeConnector } from "../test/fake-connector.ts";
import { cookiePair, HUB } from "../test/hub.ts";
import { held } from "../test/held.ts";
import { installMeter, live, metered, nothing, sum, type Counts } from "../test/meter.ts";
import { askPath } from "../test/path-viewer.ts";
import { connectVersionOne, viewPath, type VersionOneClient } from "../test/version-one-client.ts";
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

/**
 * What cannot be counted: how long an object is at work, on the average, at what comes to it, in seconds. A viewer's request waits
 * for the instance, a call for another object or D1, a message for nobody.
 */
const SECONDS_AT_WORK = { viewer: 0.1, call: 0.02, message: 0.01 };
const GIGABYTES = 0.128;
/** Not counted either: CPU of the Worker for a request, at most on the average. */
const WORKER_CPU_MS = 1;
const PLAN_USD = 5;
const PEOPLE = 1000;
const WORKING_DAYS = 22;
const IDLE_DAYS = 8;

const INSTANCES = 5;
const CHANGES = 40;
/** As long as the archive keeps a day. */
const ARCHIVED_DAYS = 400;
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
  // How many entries there are is counted by chance, once in a hundred.
  vi.spyOn(Math, "random").mockReturnValue(0.5);
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

/** What objects still have in hand is over before time passes: an object counts as awake for as long as something is. */
async function pass(milliseconds: number): Promise<void> {
  await rested();
  vi.setSystemTime(Date.now() + milliseconds);
}

/** Resolves once nothing keeps any object in memory. */
async function rested(): Promise<void> {
  const deadline = performance.now() + 5000;
  while (held().length > 0) {
    if (performance.now() > deadline) throw new Error(`Still awake: ${held().join(", ")}`);
    await moment(1);
  }
}

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
  connectors.set(id, await connectFake(token, id, { http: serve }));
  beatAt.set(id, Date.now());
  await moment();
}

function connector(id: string): FakeConnector {
  const found = connectors.get(id);
  if (found === undefined) throw new Error(`${id} is not connected.`);
  return found;
}

/** Takes every object out of memory, as the platform does 10 s after its last work; their sockets stay. */
async function hibernate(which: readonly string[] = [...ids, OLD]): Promise<void> {
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
  const isMessage = ([name]: [string, number]): boolean => name.endsWith(".webSocketMessage");
  const messages = sum(Object.fromEntries(Object.entries(counts.calls).filter(isMessage)));
  const requests = sum(counts.calls) - messages;
  const { put = 0, list = 0, get = 0, head = 0 } = counts.r2;
  return {
    "Worker requests": workerRequests,
    "object requests": requests,
    messages,
    "answered messages": answered,
    "rows written": sum(counts.rows),
    "D1 rows written": counts.d1Rows,
    "R2 writes": put + list,
    "rows read": sum(counts.rowsRead),
    "D1 rows read": counts.d1RowsRead,
    "D1 queries": counts.d1Statements,
    "R2 reads": get + head,
    "log lines": counts.logLines,
    "seconds awake": secondsAwake(counts, requests, messages),
  };
}

/** As many. Of more the document says the most: what travels together is a matter of moments. */
const FEW_MESSAGES = 20;

/** What was found, where it is not fewer of many messages than the document says. */
function settled(found: Units, said: Units = {}): Units {
  const [messages = 0, most = 0] = [found["messages"], said["messages"]];
  if (most <= FEW_MESSAGES || messages > most * 1.01) return found;
  return { ...found, messages: most, "seconds awake": said["seconds awake"] ?? 0 };
}

function secondsAwake(counts: Counts, requests: number, messages: number): number {
  const viewers = counts.calls["Tunnel.fetch"] ?? 0;
  const { viewer, call, message } = SECONDS_AT_WORK;
  const atWork = viewers * viewer + (requests - viewers) * call + messages * message;
  return Math.round(counts.awakeMs / 10 + atWork * 100) / 100;
}

test(
  "a day of heartbeats wakes nothing, writes nothing and leaves nothing to do",
  { timeout: 60_000 },
  async () => {
    await hibernate();
    let beats = 0;
    const counts = await metered(async () => {
      for (let elapsed = 0; elapsed < DAY_MS; elapsed += HEARTBEAT_MS) {
        await pass(HEARTBEAT_MS);
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
/** What the page's cards say of the last proof of life, by card. */
const pageProofs = new Map<string, number>();

async function openPage(): Promise<void> {
  const response = await browser.open(routes.dashboardSocket, { upgrade: "websocket", origin: HUB });
  if (response.webSocket === null) throw new Error(`No socket: ${response.status}`);
  page = response.webSocket;
  page.addEventListener("message", ({ data }) => {
    for (const [, card = "", heardAt] of String(data).matchAll(/id="([^"]+)" data-heard="(\d+)"/g))
      pageProofs.set(card, Number(heardAt));
  });
  const told = new Promise((resolve) => page?.addEventListener("message", resolve, { once: true }));
  page.accept();
  await told;
}

/** How old the oldest proof is that the page shows, in milliseconds. */
const oldestProof = (): number => Date.now() - Math.min(...pageProofs.values());

/**
 * An hour of a page that somebody looks at: heartbeats come at different times, and the page asks as live.js does, once the
 * oldest proof it shows has five sixths of the age it may have. Returns how many messages the platform answered by itself.
 */
async function lookForAnHour(): Promise<number> {
  const stepMs = HEARTBEAT_MS / INSTANCES;
  let answered = 0;
  const look = async (): Promise<void> => {
    page?.send("look");
    while (oldestProof() >= HEARTBEAT_MS) await moment(1);
  };
  // Somebody comes back to it.
  await look();
  for (let step = 0; step < HOUR_MS / stepMs; step++) {
    await pass(stepMs);
    await beat(ids[step % INSTANCES] ?? "");
    answered++;
    if (step % INSTANCES === 0) {
      page?.send("ping");
      answered++;
    }
    expect(oldestProof()).toBeLessThan(90 * SECOND_MS);
    if (oldestProof() >= 75 * SECOND_MS) await look();
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
    await pass(MINUTE_MS);
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

const OLD = "instance-old";
let oldClient: VersionOneClient | undefined;

async function connectOld(): Promise<void> {
  const answer = { status: 200, headers: [["content-type", "text/plain"]], body: "hello" };
  oldClient = await connectVersionOne(token, OLD, () => answer);
  // The platform is told of its ping when the first one comes.
  await beatOld();
}

/** Sends a ping of version 1, as its client writes it, and waits for the answer. */
async function beatOld(): Promise<void> {
  const pongs = () => oldClient?.of("pong").length ?? 0;
  const before = pongs();
  oldClient?.send({ type: "ping", client_id: OLD });
  beatAt.set(OLD, Date.now());
  while (pongs() === before) await moment(1);
}

async function forgetOld(): Promise<unknown> {
  oldClient?.socket.close(1000, "");
  oldClient = undefined;
  await moment(100);
  return hub.act(OLD, { action: "forget" }, "ann");
}

const FIRST = "an instance connects for the first time";
const BY_PATH = "a request in path mode";
const OLD_HEARTBEAT = "version 1: a heartbeat";
const OLD_REQUEST = "version 1: a request";
const MAY_RETURN = "an instance that was sent away asks whether it may return";

/** The cookie by which a browser that has just been asked after is believed. */
async function freshAccess(): Promise<string> {
  const [id = ""] = (browser.cookie("session") ?? "").split(".");
  const until = Date.now() + ACCESS_MS;
  const session = { id, userId: owner, login: "ann", name: "Ann", role: "member", until } as const;
  return cookiePair(await accessCookie(env, session));
}

/** Answers of this many bytes, one after the other, in the blocks in which Node reads a file. */
async function loadPage(requests: number, bytes: number): Promise<Asked> {
  for (let index = 0; index < requests; index++) {
    const answer = await view(owner, "instance-0", `/bytes/${Math.ceil(bytes / requests)}`);
    await answer.arrayBuffer();
  }
  return { workerRequests: requests };
}

async function upload(bytes: number): Promise<Asked> {
  const answer = await view(owner, "instance-0", "/upload", { method: "POST", body: new Uint8Array(bytes) });
  await answer.text();
  return { workerRequests: 1 };
}

/** An event a minute; meanwhile the hub may not sleep. */
async function listenForAnHour(): Promise<Asked> {
  const answer = await view(owner, "instance-0", "/events");
  const reader = (answer.body as ReadableStream<Uint8Array>).getReader();
  for (let minute = 1; minute <= HOUR_MS / MINUTE_MS; minute++) {
    expect(held().length).toBeGreaterThan(0);
    vi.setSystemTime(Date.now() + MINUTE_MS);
    beatAt.set("instance-0", Date.now());
    nextEvent?.();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("data: x\n\n");
  }
  lastEvent?.();
  expect((await reader.read()).done).toBe(true);
  return { workerRequests: 1 };
}

let nextEvent: (() => void) | undefined;
let lastEvent: (() => void) | undefined;

/** What the instances answer: `/bytes/<n>`, `/upload` once it has read everything, `/events`, anything else a word. */
function serve(stream: Stream, { target }: RequestHead): void {
  const bytes = Number(/^\/bytes\/(\d+)$/.exec(target)?.[1] ?? 0);
  const respond = (type: string) => stream.respond({ status: 200, headers: [["content-type", type]] });
  const events = {
    data: (payload: Uint8Array) => stream.consume(payload.byteLength),
    reset: () => undefined,
  };
  if (target === "/upload") {
    stream.handler = { ...events, writable: () => undefined, end: () => answerWith("done") };
    return;
  }
  if (target === "/events") {
    respond("text/event-stream");
    nextEvent = () => stream.write(encoder.encode("data: x\n\n"));
    lastEvent = () => stream.end();
    return;
  }
  if (bytes === 0) return answerWith("hello");
  respond("application/octet-stream");
  let left = bytes;
  const send = () => {
    while (left > 0) {
      const sent = stream.write(new Uint8Array(Math.min(left, BLOCK_BYTES)));
      if (sent === 0) return;
      left -= sent;
    }
    stream.end();
  };
  stream.handler = { ...events, end: () => undefined, writable: () => left > 0 && send() };
  send();

  function answerWith(text: string): void {
    respond("text/plain");
    stream.write(encoder.encode(text));
    stream.end();
  }
}

const encoder = new TextEncoder();
const BLOCK_BYTES = 65_536;

/** What comes before an event and is not counted with it. */
const prepared: Record<string, () => Promise<unknown>> = {
  [MAY_RETURN]: async () => {
    await connect("instance-away");
    connectors.delete("instance-away");
    await hub.act("instance-away", { action: "disconnect" }, "ann");
  },
  [BY_PATH]: () => hub.act("instance-0", { action: "trust_path" }, "ann"),
  [OLD_HEARTBEAT]: connectOld,
  [OLD_REQUEST]: () => hub.act(OLD, { action: "trust_path" }, "ann"),
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
  [OLD_REQUEST]: forgetOld,
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
    await pass(9 * HOUR_MS);
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
  "27 requests for a page of 5 MB": () => loadPage(27, 5_000_000),
  "an upload of 5 MB": () => upload(5_000_000),
  "an event stream for an hour, an event a minute": listenForAnHour,
  "a WebSocket through the tunnel, 100 messages each way": async () => ({
    workerRequests: await sendThroughTunnel(100),
  }),
  "an hour before an instance's page": showMarkForAnHour,
  "a dashboard is opened": async () => {
    await (await browser.open(routes.dashboard)).text();
    // A browser has its scripts to run first.
    await rested();
    await openPage();
    return { workerRequests: 2 };
  },
  "an hour of looking": async () => {
    expect(pageProofs.size).toBe(INSTANCES);
    return { answered: await lookForAnHour() };
  },
  "a dashboard is closed": async () => {
    page?.close(1000, "");
    await called("UserHub.webSocketClose", 1);
    return {};
  },
  [MAY_RETURN]: async () => {
    expect((await dial(token, "instance-away")).status).toBe(403);
    return { workerRequests: 1 };
  },
  [OLD_HEARTBEAT]: async () => {
    await beatOld();
    return { answered: 1 };
  },
  "version 1: a status change": async () => {
    oldClient?.send({ type: "status_update", client_id: OLD, status: "busy" });
    await called("UserHub.instanceStatus", 1);
    return {};
  },
  [OLD_REQUEST]: async () => {
    expect(await (await viewPath(owner, OLD, "/")).text()).toBe("hello");
    return { workerRequests: 1 };
  },
};

/** What is counted begins with nothing in memory, some time after anything was asked, and with GitHub's answer new. */
async function restAWhile(): Promise<void> {
  await pass(HOUR_MS);
  await Promise.all([...connectors.keys()].map(beat));
  if (oldClient) await beatOld();
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
    found[event] = settled(units(counts, asked), cost.events[event]);
    // Nothing that has happened leaves anything that would keep an object in memory for long.
    await rested();
    await undone[event]?.();
  }
  // What happens once a day is counted over whole days, below.
  const { "an entry is archived": _entry, "a day is archived": _day, ...documented } = cost.events;
  expect(found).toEqual(documented);
});

test("between messages that come ten times a second nothing keeps a Tunnel in memory", async () => {
  const opened = await openWebSocket(owner, "instance-0");
  await rested();
  for (let message = 0; message < 5; message++) {
    vi.setSystemTime(Date.now() + SECOND_MS / 10);
    opened.socket.send("x");
    await opened.next();
    // What came and went is written down a moment later.
    await moment(60);
    expect(held()).toEqual([]);
  }
  opened.socket.close(1000, "");
  await opened.closed;
});

test("half a message keeps its Tunnel in memory, and for no longer than 30 seconds", async () => {
  const halfSent = Promise.withResolvers<Stream>();
  const webSocket = (stream: Stream): void => {
    const ignored = (): void => undefined;
    stream.handler = { data: ignored, end: ignored, reset: ignored, writable: ignored };
    stream.respond({ status: 101, headers: [] });
    stream.writeMessageFrame(encoder.encode("half"), { text: true, more: true });
    halfSent.resolve(stream);
  };
  const { socket } = await connectFake(token, "instance-half", { webSocket });
  const viewer = await openWebSocket(owner, "instance-half");
  const stream = await halfSent.promise;
  await moment(60);
  expect(held().map((one) => one.replace(/^\w+: /, ""))).toEqual(["timer of 30000 ms"]);
  stream.writeMessageFrame(encoder.encode(" and half"), { text: true, more: false });
  expect(await viewer.next()).toBe("half and half");
  await rested();
  socket.close(1000, "");
  await moment(100);
  await hub.act("instance-half", { action: "forget" }, "ann");
});

test(`a day of ${CHANGES} changes an instance costs as many events`, { timeout: 120_000 }, async () => {
  let counts = nothing();
  // The day before yesterday is archived, so the third day is as every day after it.
  for (let day = 1; day <= 3; day++) {
    await pass(DAY_MS - (Date.now() % DAY_MS));
    await hibernate();
    counts = await metered(async () => {
      for (let made = 0; made < CHANGES * INSTANCES; made++) {
        await pass(4 * MINUTE_MS);
        // Between two changes nothing stays in memory; to do so each time would take the test a minute.
        if (made % 50 === 0) await hibernate();
        await change(ids[made % INSTANCES] ?? "", made + 1);
      }
      await moment(300);
    });
  }
  const times = { "a status change": CHANGES * INSTANCES, "an entry is archived": CHANGES * INSTANCES };
  const expected = total({ ...times, "a day is archived": 1 });
  expect(counts.calls).toEqual({ "Tunnel.webSocketMessage": 200, "UserHub.instanceStatus": 200 });
  expect(counts.rows).toEqual({ instances: 200, activity: 400, activity_archives: 1 });
  expect([counts.d1Rows, counts.r2]).toEqual([0, { put: 1 }]);
  // What stays in memory between two changes is read once.
  const { "rows read": rowsRead = 0, ...others } = units(counts, {});
  const { "rows read": mostRowsRead = 0, ...expectedOthers } = expected;
  expect(others).toEqual(expectedOthers);
  expect(rowsRead).toBeLessThanOrEqual(mostRowsRead);
  expectStored({ objects: await storedInObjects(), R2: counts.r2Bytes * ARCHIVED_DAYS });
});

async function storedInObjects(): Promise<number> {
  const stubs = [hub, ...(await Promise.all(ids.map((id) => tunnelOf(owner, id))))];
  let bytes = 0;
  for (const stub of stubs)
    bytes += await runInDurableObject(stub, (_object, { storage }) => storage.sql.databaseSize);
  return bytes;
}

/** The document says no less than is stored, and not much more. */
function expectStored(found: Record<string, number>): void {
  for (const [place, bytes] of Object.entries(found)) {
    expect([place, bytes <= (cost.stored[place] ?? 0)]).toEqual([place, true]);
    expect([place, bytes * 2 >= (cost.stored[place] ?? 0)]).toEqual([place, true]);
  }
}

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

/** A million, or one gigabyte: what the document's prices are for. */
const perPrice = (unit: string): number => (unit.endsWith(" GB") ? 1 : 1_000_000);

/** What is billed of these counts, by the lines of the document. */
function billed(count: Units): Units {
  const of = (unit: string): number => count[unit] ?? 0;
  return {
    "Worker requests": of("Worker requests"),
    "Worker CPU, ms": of("Worker requests") * WORKER_CPU_MS,
    "object requests, messages counted 20 to 1": of("object requests") + of("messages") / 20,
    "GB-seconds": of("seconds awake") * GIGABYTES,
    "rows written": of("rows written"),
    "rows read": of("rows read"),
    "D1 rows written": of("D1 rows written"),
    "D1 rows read": of("D1 rows read"),
    "R2 writes": of("R2 writes"),
    "R2 reads": of("R2 reads"),
    "log lines": of("log lines"),
    "answered messages, 20 to 1": of("answered messages") / 20,
  };
}

const storedGigabytes = (): Units =>
  Object.fromEntries(
    Object.entries(cost.stored).map(([place, bytes]) => [`${place}, GB`, (bytes * PEOPLE) / 1e9]),
  );

const rounded = (all: Units): Units =>
  Object.fromEntries(Object.entries(all).map(([unit, count]) => [unit, Math.round(count * 10) / 10]));

const column = (read: (line: BillLine) => number): Units =>
  Object.fromEntries(Object.entries(cost.bill).map(([unit, line]) => [unit, read(line)]));

test("an idle day, a working day and a month of 1,000 people follow from what the events cost", () => {
  const stored = storedGigabytes();
  const none = Object.fromEntries(Object.keys(stored).map((unit) => [unit, 0]));
  const asleep = total({ "a heartbeat": cost.day["a heartbeat"] ?? 0 });
  const idle = billed(asleep);
  const working = total(cost.day);
  const month = Object.fromEntries(
    Object.entries(working).map(([unit, count]) => [
      unit,
      (count * WORKING_DAYS + (asleep[unit] ?? 0) * IDLE_DAYS) * PEOPLE,
    ]),
  );
  expect(column(({ idle: count }) => count)).toEqual(rounded({ ...idle, ...none }));
  expect(column(({ working: count }) => count)).toEqual(rounded({ ...billed(working), ...none }));
  expect(column(({ month: count }) => count)).toEqual(rounded({ ...billed(month), ...stored }));
});

test("a month of 1,000 people costs less than 10 USD", () => {
  for (const [unit, { month, included, price, usd }] of Object.entries(cost.bill)) {
    // Cloudflare's own examples round up to a whole million.
    const paid = Math.ceil(Math.max(0, month - included) / perPrice(unit));
    expect([unit, usd]).toEqual([unit, Math.round(paid * price * 100) / 100]);
  }
  const lines = Object.entries(cost.bill);
  const sumOf = (of: typeof lines): number => of.reduce((all, [, { usd }]) => all + usd, PLAN_USD);
  const bill = sumOf(lines.filter(([unit]) => !unit.startsWith("answered")));
  expect(document).toContain(`**${bill.toFixed(2)} USD**`);
  expect(document).toContain(`**${sumOf(lines).toFixed(2)} USD**`);
  expect(bill).toBeLessThan(10);
});

test("as many people fit in the free plan as the document says", () => {
  const day = billed(total(cost.day));
  for (const [unit, { allowed, taken, people }] of Object.entries(cost.free)) {
    expect([unit, taken]).toEqual([unit, Math.round(day[unit] ?? 0)]);
    expect([unit, people]).toEqual([unit, Math.floor(allowed / taken)]);
  }
  const first = Object.entries(cost.free).toSorted(([, one], [, other]) => one.people - other.people)[0];
  expect(Object.keys(cost.free)[0]).toBe(first?.[0]);
});
