/** Pairing from the instance's end, against a hub that says what it is told. */
import { pairingFingerprint } from "@ai-orchestrator/protocol";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { pair, type PairingClock, type PairingOptions, type ShownPairing } from "./pairing.ts";
import { asOtherUser, canBeOtherUser } from "./testing/other-user.ts";
import { startFakePairingHub, type FakePairingHub } from "./testing/fake-pairing-hub.ts";

let hub: FakePairingHub;
beforeEach(async () => {
  hub = await startFakePairingHub();
});
afterEach(() => hub.stop());

/** Its waits pass at once, and with them the time, but for those longer than `stopsAtMs`. */
class HastyClock implements PairingClock {
  readonly waits: number[] = [];
  #now = 0;
  readonly #stopsAtMs: number;

  constructor(stopsAtMs = 60_000) {
    this.#stopsAtMs = stopsAtMs;
  }

  now(): number {
    return this.#now;
  }

  async wait(ms: number, signal: AbortSignal): Promise<void> {
    if (ms > this.#stopsAtMs)
      return new Promise((resolve) => {
        signal.addEventListener("abort", () => resolve(), { once: true });
      });
    this.waits.push(ms);
    this.#now += ms;
    await new Promise<void>((resolve) => {
      setImmediate(resolve);
    });
  }
}

function start(more: Partial<PairingOptions> = {}) {
  const shown: ShownPairing[] = [];
  const lost: string[] = [];
  const kept: string[] = [];
  const result = pair({
    url: hub.url,
    clientId: "laptop-abc123",
    metadata: { hostname: "h".repeat(400), project: "/p", platform: "linux" },
    shown: (pairing) => shown.push(pairing),
    lost: ({ message }) => lost.push(message),
    keep: async ({ token, clientId }) => {
      kept.push(`${clientId} ${token}`);
    },
    ...more,
  });
  return { result, shown, lost, kept };
}

const GRANT = { type: "token_granted", token: "orc_token", client_id: "laptop-abc123", user: "ann" } as const;

it("shows code, link and a fingerprint of its own; keeps the token, says that it has, and leaves", async () => {
  const { result, shown, kept } = start();
  const register = await hub.heard("pending_register");
  expect(register).toMatchObject({ hostname: "h".repeat(255), project: "/p", client_id: "laptop-abc123" });
  await expect.poll(() => shown).toHaveLength(1);
  const [secret = ""] = hub.secrets;
  expect(secret).toMatch(/^[\w-]{43}$/);
  expect(hub.paths).toEqual(["/ws/pending"]);
  expect(shown[0]).toEqual({
    code: "WDJB-MJHT",
    url: "https://hub.example.com/pair?code=WDJB-MJHT",
    // The hub's word for it would prove nothing.
    fingerprint: await pairingFingerprint(secret),
    expiresInSeconds: 600,
  });
  hub.send(GRANT);
  expect(await result).toEqual({
    kind: "granted",
    token: "orc_token",
    clientId: "laptop-abc123",
    user: "ann",
  });
  expect(kept).toEqual(["laptop-abc123 orc_token"]);
  await hub.heard("token_received");
});

it("says that the token has come only once it is kept", async () => {
  let keep: () => void = () => undefined;
  const { result } = start({ keep: () => new Promise((resolve) => (keep = resolve)) });
  await hub.heard("pending_register");
  hub.send(GRANT);
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(hub.received.map(({ type }) => type)).toEqual(["pending_register"]);
  keep();
  expect((await result).kind).toBe("granted");
  await hub.heard("token_received");
});

it("comes back with the same secret after a loss, with backoff, and shows its code once", async () => {
  const clock = new HastyClock();
  const { result, shown, lost } = start({ clock, random: () => 0.999 });
  await hub.heard("pending_register");
  await expect.poll(() => shown).toHaveLength(1);
  hub.refusal = { status: 503, code: "internal_error", message: "starting" };
  hub.socket?.terminate();
  await expect.poll(() => lost.length).toBeGreaterThan(4);
  hub.refusal = undefined;
  await hub.heard("pending_register", 2);
  hub.send(GRANT);
  expect((await result).kind).toBe("granted");
  expect(new Set(hub.secrets).size).toBe(1);
  expect(shown).toHaveLength(1);
  expect(clock.waits.slice(0, 5)).toEqual([500, 999, 1998, 3996, 7992]);
  expect(lost.slice(0, 2)).toEqual(["the connection broke", "starting"]);
});

describe("gives up", () => {
  it("where nobody answers for ten minutes, saying what was wrong", async () => {
    const { url } = hub;
    await hub.stop();
    const clock = new HastyClock();
    const { result, shown } = start({ url, clock });
    expect(await result).toEqual({
      kind: "expired",
      message: "There was no way to the hub: nothing answers there.",
    });
    expect(shown).toEqual([]);
    expect(clock.now()).toBeLessThan(600_000);
    expect(Math.max(...clock.waits)).toBeLessThanOrEqual(10_000);
    hub = await startFakePairingHub();
  });

  it("where the hub says that its time is over", async () => {
    const { result } = start();
    await hub.heard("pending_register");
    hub.send({ type: "authorization_timeout", message: "Too late." });
    expect(await result).toEqual({ kind: "expired", message: "Too late." });
  });

  it("where the hub forgets to say so", async () => {
    const { result } = start({ clock: new HastyClock(Number.POSITIVE_INFINITY) });
    expect(await result).toEqual({ kind: "expired", message: "Nobody approved it within ten minutes." });
  });

  it("where its code was used up while it was away", async () => {
    hub.refusal = { status: 410, code: "pairing_over", message: "over" };
    expect((await start().result).kind).toBe("expired");
  });

  it("where it was denied", async () => {
    const { result } = start();
    await hub.heard("pending_register");
    hub.send({ type: "authorization_denied", reason: "It was denied at the hub." });
    expect(await result).toEqual({ kind: "denied", message: "It was denied at the hub." });
  });

  it.each([401, 403, 404, 426])("at once where the hub answers %i", async (status) => {
    hub.refusal = { status, code: "x", message: "This hub does not." };
    expect(await start().result).toEqual({ kind: "refused", message: "This hub does not." });
    expect(hub.secrets).toHaveLength(1);
  });

  it("where it is told to, and leaves nothing behind", async () => {
    const stop = new AbortController();
    const { result, lost } = start({ signal: stop.signal });
    await hub.heard("pending_register");
    const closed = new Promise((resolve) => hub.socket?.once("close", resolve));
    stop.abort();
    expect(await result).toEqual({ kind: "aborted" });
    await closed;
    // Nothing is tried again.
    expect(lost).toEqual([]);
  });
});

it("asks no hub in clear that is not on this machine", async () => {
  await expect(start({ url: "http://hub.example.com" }).result).rejects.toThrow(RangeError);
});

it("says in words that what answers speaks something else", async () => {
  const stop = new AbortController();
  const { lost } = start({ url: hub.url.replace("http:", "https:"), signal: stop.signal });
  await expect.poll(() => lost[0]).toBe("what answers there does not speak https as it should");
  stop.abort();
});

it.runIf(canBeOtherUser)("asks nobody else's hub on this machine, unless that is allowed", async () => {
  await hub.stop();
  hub = await asOtherUser(startFakePairingHub);
  const stop = new AbortController();
  const { result, lost } = start({ signal: stop.signal });
  await expect.poll(() => lost.length).toBeGreaterThan(1);
  stop.abort();
  expect(await result).toEqual({ kind: "aborted" });
  expect(lost[0]).toContain("belongs to another user of this machine");
  expect([hub.secrets, hub.received]).toEqual([[], []]);

  const allowed = start({ allowOtherUser: true });
  await hub.heard("pending_register");
  hub.send(GRANT);
  expect((await allowed.result).kind).toBe("granted");
});

it("passes over what a hub sends that is no message of pairing, and dials again", async () => {
  const { result, lost } = start({ clock: new HastyClock() });
  await hub.heard("pending_register");
  hub.socket?.send('{"type":"later"}');
  hub.socket?.send(JSON.stringify({ ...GRANT, token: 5 }));
  await hub.heard("pending_register", 2);
  expect(lost[0]).toContain("no message of pairing");
  hub.send(GRANT);
  expect((await result).kind).toBe("granted");
});
