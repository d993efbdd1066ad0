/** Pairing: an instance without a token shows a code, its owner approves it at the hub, and it has its token. */
import { randomBytes } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import {
  PAIRING,
  pairingFingerprint,
  type InstanceMetadata,
  type PendingRegister,
} from "@ai-orchestrator/protocol";
import { Backoff } from "./backoff.ts";
import { boundedMetadata } from "./bounded.ts";
import { HUB_ADDRESS_RULE, isHubAddress } from "./hub-address.ts";
import { PairingSocket, type PairingSocketEnd } from "./pairing-socket.ts";
import { retryPause } from "./pause.ts";
import { SOFTWARE } from "./software.ts";

/** What people compare and say. */
export interface ShownPairing {
  /** `WDJB-MJHT` */
  code: string;
  /** The hub's page with the code in it. */
  url: string;
  fingerprint: string;
  /** Seconds until the code is worth nothing. */
  expiresInSeconds: number;
}

export interface PairingOptions {
  /** The hub. */
  url: string;
  /** Under what the instance will connect. */
  clientId: string;
  metadata: InstanceMetadata;
  /** As `OrchestratorClientOptions.allowOtherUser.hub`. */
  allowOtherUser?: boolean;
  /** Ends the wait. */
  signal?: AbortSignal;
  /** There is a code. Called once, and not again where the connection was lost and came back. */
  shown: (pairing: ShownPairing) => void;
  /** The connection was lost, or not made, and another attempt follows in `retryMs`. */
  lost?: (event: { message: string; retryMs: number }) => void;
  /** Keeps the token, before the hub is told that it arrived. What it throws costs the pairing. */
  keep?: (grant: { token: string; clientId: string }) => Promise<void>;
  clock?: PairingClock;
  /** In [0, 1). */
  random?: () => number;
}

/** Milliseconds of a clock that never goes back, and a wait that `signal` ends early. */
export interface PairingClock {
  now(): number;
  wait(ms: number, signal: AbortSignal): Promise<void>;
}

/** `user`: the login of who approved. `expired`: nobody did in ten minutes. `refused`: this hub does not pair. */
export type PairingResult =
  | { kind: "granted"; token: string; clientId: string; user: string | undefined }
  | { kind: "denied" | "expired" | "refused"; message: string }
  | { kind: "aborted" };

const FIRST_RETRY_MS = 500;
const MAX_RETRY_MS = 10_000;
/** The hub keeps the time; where it does not say that it is over, this end does so as much later. */
const GRACE_MS = 15_000;
const NOBODY = "Nobody approved it within ten minutes.";

/** Asks for a token until there is one or it is over. Throws a `RangeError` for what may not be a hub; never rejects otherwise. */
export async function pair(options: PairingOptions): Promise<PairingResult> {
  if (!isHubAddress(options.url)) throw new RangeError(`url: ${HUB_ADDRESS_RULE}`);
  const { clock = systemClock, random, signal } = options;
  const over = new AbortController();
  const whole = signal === undefined ? over.signal : AbortSignal.any([over.signal, signal]);
  const backoff = new Backoff({ baseMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS, ...(random && { random }) });
  const secret = randomBytes(32).toString("base64url");
  const endsAt = clock.now() + PAIRING.lifetimeSeconds * 1000;
  const late = clock.wait(endsAt + GRACE_MS - clock.now(), whole).then(() => undefined);
  const attempts = attempt({ ...options, secret, backoff, clock, endsAt, signal: whole });
  const result = (await Promise.race([attempts, late])) ?? { kind: "expired" as const, message: NOBODY };
  over.abort();
  return signal?.aborted === true ? { kind: "aborted" } : result;
}

type Attempts = PairingOptions & {
  secret: string;
  backoff: Backoff;
  clock: PairingClock;
  endsAt: number;
  signal: AbortSignal;
};

async function attempt(options: Attempts): Promise<PairingResult> {
  const { backoff, clock, endsAt, signal, lost } = options;
  const fingerprint = await pairingFingerprint(options.secret);
  let isShown = false;
  const shown = (pairing: ShownPairing) => {
    backoff.reset();
    if (!isShown) options.shown(pairing);
    isShown = true;
  };
  while (!signal.aborted) {
    const end = await connect(options, fingerprint, shown);
    if (end.kind !== "lost") return resultOf(end);
    if (signal.aborted) break;
    const retryMs = retryPause(end.retryAfterMs, backoff);
    if (clock.now() + retryMs >= endsAt)
      return { kind: "expired", message: isShown ? NOBODY : `There was no way to the hub: ${end.message}.` };
    lost?.({ message: end.message, retryMs });
    await clock.wait(retryMs, signal);
  }
  return { kind: "aborted" };
}

function connect(
  { url, secret, signal, allowOtherUser = false, keep, ...options }: Attempts,
  fingerprint: string,
  shown: (pairing: ShownPairing) => void,
): Promise<PairingSocketEnd> {
  return new Promise((resolve) => {
    const ended = (end: PairingSocketEnd) => {
      signal.removeEventListener("abort", leave);
      resolve(end);
    };
    const socket = new PairingSocket({
      url,
      secret,
      allowOtherUser,
      register: registerMessage(options),
      registered: ({ code, url: link, expires_in: expiresInSeconds }) =>
        shown({ code, url: link, fingerprint, expiresInSeconds }),
      keep: async ({ token, client_id: clientId }) => keep?.({ token, clientId }),
      ended,
    });
    const leave = () => {
      socket.leave();
      resolve({ kind: "lost", message: "stopped" });
    };
    signal.addEventListener("abort", leave, { once: true });
  });
}

function registerMessage({ clientId, metadata }: Pick<Attempts, "clientId" | "metadata">): PendingRegister {
  const { hostname, project, platform } = boundedMetadata(metadata);
  return { type: "pending_register", hostname, project, platform, client_id: clientId, software: SOFTWARE };
}

function resultOf(end: Exclude<PairingSocketEnd, { kind: "lost" }>): PairingResult {
  if (end.kind === "granted") {
    const { token, client_id: clientId, user } = end.grant;
    return { kind: end.kind, token, clientId, user };
  }
  return end.kind === "over"
    ? { kind: "expired", message: NOBODY }
    : { kind: end.kind, message: end.message };
}

const systemClock: PairingClock = {
  now: () => performance.now(),
  wait: async (ms, signal) => {
    // Whoever aborts does not wait any more, and need not be told why.
    await delay(ms, undefined, { signal }).catch(() => undefined);
  },
};
