/** An instance whose owner sends it away, and lets it back. */
import { CONNECTION_ERRORS } from "@ai-orchestrator/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { jumpingClocks } from "./testing/clocks.ts";
import type { FakeHub } from "./testing/fake-hub.ts";
import { type RunningClient, startClient } from "./testing/running-client.ts";

const KEPT_AWAY = {
  status: 403,
  retryAfter: "60",
  code: "disconnected",
  message: "Its owner has sent this instance away.",
};
const AWAY = "Sent away by its owner. It asks every minute whether it may return.";

let running: RunningClient;
// Sockets keep the real time: only what the connector waits for is moved on by hand.
beforeEach(() => void vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] }));
afterEach(async () => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  await running.stop();
});

async function start(prepare?: (hub: FakeHub) => void) {
  running = await startClient({}, prepare);
  return running;
}

/** Goes on to the next attempt. When it is done with the last one is not seen from outside: it may still wait for its end. */
async function dialAgain(hub: FakeHub): Promise<void> {
  const { dials } = hub;
  const dialled = () => expect(hub.dials).toBe(dials + 1);
  for (let timers = 0; timers < 3 && hub.dials === dials; timers++) {
    await vi.waitFor(() => expect(vi.getTimerCount()).toBe(1), { interval: 1 });
    vi.advanceTimersToNextTimer();
    await vi.waitFor(dialled, { interval: 1, timeout: 500 }).catch(() => undefined);
  }
  dialled();
}

/** Waits until it has hung up. */
async function refused(hub: FakeHub, times: number): Promise<void> {
  await vi.waitFor(() => expect(hub.refused).toBe(times), { interval: 1 });
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}

const sendAway: [string, (hub: FakeHub) => void][] = [
  [
    "go_away and a close",
    (hub) => {
      hub.send({ type: "go_away", code: "disconnected", message: "" });
      hub.socket?.close(CONNECTION_ERRORS.disconnected.close, "disconnected");
    },
  ],
  ["go_away alone", (hub) => hub.send({ type: "go_away", code: "disconnected", message: "" })],
  ["a close alone", (hub) => hub.socket?.close(CONNECTION_ERRORS.disconnected.close)],
  ["the command", (hub) => hub.send({ type: "command", command: "disconnect" })],
];

test.each(sendAway)("%s: it closes, asks a minute later, and is back when it may", async (_how, send) => {
  const clocks = jumpingClocks();
  const { hub, events, log, registers } = await start();
  await vi.waitFor(() => expect(events).toContain("connected"));
  hub.refusal = KEPT_AWAY;
  send(hub);
  await vi.waitFor(() => expect(events.at(-1)).toBe("sentAway"));
  await vi.waitFor(() => expect(hub.closed).toBeDefined());
  vi.advanceTimersByTime(50_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(hub.dials).toBe(1);
  await dialAgain(hub);
  await refused(hub, 1);
  hub.refusal = undefined;
  clocks.pass(130_000);
  await dialAgain(hub);
  await vi.waitFor(() => expect(events.at(-1)).toBe("connected"));
  expect(events).toEqual(["connecting", "connected", "sentAway", "connected"]);
  expect(log()).toEqual([
    "Connecting to http://127.0.0.1:1 as c",
    "Connected: http://here.hub.localhost:1",
    AWAY,
    "Let back: http://here.hub.localhost:1",
  ]);
  // Its owner knows why it was away.
  expect(registers().map(({ absence }) => absence)).toEqual([undefined, undefined]);
});

test("kept away for two hours it asks about once a minute and says so once", async () => {
  const { hub, events, log, client } = await start((fake) => (fake.refusal = KEPT_AWAY));
  let minutes = 0;
  await vi.waitFor(() => expect(events).toContain("sentAway"));
  for (; minutes < 120; minutes++) {
    await refused(hub, minutes + 1);
    vi.advanceTimersByTime(59_000);
    expect(hub.dials).toBe(minutes + 1);
    // Not only its owner keeps it out now and then.
    hub.refusal = minutes % 3 === 0 ? { ...KEPT_AWAY, status: 503, code: "away" } : KEPT_AWAY;
    await dialAgain(hub);
  }
  expect(log()).toEqual(["Connecting to http://127.0.0.1:1 as c", AWAY]);
  expect(events).toEqual(["connecting", "sentAway"]);
  expect(client.log[1]?.level).toBe("warning");
});

test("Retry-After is obeyed where it is longer than a minute", async () => {
  const { hub, events } = await start((fake) => (fake.refusal = { ...KEPT_AWAY, retryAfter: "600" }));
  await vi.waitFor(() => expect(events).toContain("sentAway"));
  await refused(hub, 1);
  vi.advanceTimersByTime(598_000);
  await new Promise((resolve) => setImmediate(resolve));
  expect(hub.dials).toBe(1);
  await dialAgain(hub);
});

test("while it is away its token can end: then it stops", async () => {
  const { hub, events, log } = await start((fake) => (fake.refusal = KEPT_AWAY));
  await vi.waitFor(() => expect(events).toContain("sentAway"));
  hub.refusal = { status: 401, code: "unauthorized", message: "The token was revoked." };
  await refused(hub, 1);
  await dialAgain(hub);
  await vi.waitFor(() => expect(events.at(-1)).toBe("stopped"));
  expect(log().at(-1)).toMatch(/^Stopped by the hub: The token was revoked\. /);
  vi.advanceTimersByTime(3_600_000);
  expect(hub.dials).toBe(2);
});

test("a 403 for another reason is not it", async () => {
  const { events, log } = await start(
    (fake) => (fake.refusal = { ...KEPT_AWAY, code: "not_admitted", message: "Not now." }),
  );
  await vi.waitFor(() => expect(events).toContain("disconnected"));
  expect(events).not.toContain("sentAway");
  expect(log()[1]).toMatch(/^No connection: Not now\. Trying again in 6\d s, and until it works\.$/);
});
