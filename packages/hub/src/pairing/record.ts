/** What a `Pairing` remembers: one value in its storage, without the secret and without any token. */
import { PAIRING, pairingCodeOf, type PendingRegister } from "@ai-orchestrator/protocol";
import type { RequestPlace } from "../auth/request-place.ts";
import { visibleText } from "../visible-text.ts";
import type { PairingLook, PairingNames, PairingPerson } from "./contract.ts";

const KEY = "pairing";
/** For as long after its end a secret is worth nothing, so that no code works twice; milliseconds. */
const REMEMBERED_MS = 24 * 60 * 60_000;

/** Who dials, as the Worker found it. */
export interface PairingDial {
  protocol: 1 | 2;
  secretHash: string;
  fingerprint: string;
  from: RequestPlace;
  /** What its attempts are counted under. */
  place: string;
  names: PairingNames | null;
}

/** Its own words, as people may see them. */
export interface Said {
  hostname: string;
  project: string;
  platform: string;
  software: { name: string; version: string } | null;
  clientId: string;
}

export interface PairingRecord extends Omit<PairingDial, "place"> {
  since: number;
  until: number;
  /** Null until it has said who it is; from then on it stays that. */
  said: Said | null;
  /** `tokenId`: the one that was made for it last; it may not have arrived. */
  decision: { by: PairingPerson; approved: boolean; tokenId: string | null } | null;
  /** Ids of the people on whose dashboards it stands. */
  told: string[];
  /** Nothing comes of it any more. `used`: its token has arrived. */
  over: "used" | "denied" | "expired" | null;
}

export function newRecord(dial: PairingDial, now: number): PairingRecord {
  const { protocol, secretHash, fingerprint, from, names } = dial;
  const until = now + PAIRING.lifetimeSeconds * 1000;
  return {
    protocol,
    secretHash,
    fingerprint,
    from,
    names,
    since: now,
    until,
    said: null,
    decision: null,
    told: [],
    over: null,
  };
}

export function readRecord({ kv }: DurableObjectStorage): PairingRecord | undefined {
  return kv.get<PairingRecord>(KEY);
}

export function writeRecord({ kv }: DurableObjectStorage, record: PairingRecord): void {
  kv.put(KEY, record);
}

/** When nothing needs to be remembered any more, milliseconds since the epoch. */
export function forgottenAt({ until }: PairingRecord): number {
  return until + REMEMBERED_MS;
}

/** What it says of itself, in words that can be shown. */
export function saidBy(message: PendingRegister): Said {
  const { hostname, project, platform, software = null } = message;
  return {
    hostname: visibleText(hostname).trim(),
    project: visibleText(project).trim(),
    platform: visibleText(platform).trim(),
    software: software && { name: visibleText(software.name), version: visibleText(software.version) },
    clientId: message.client_id ?? clientIdFor(hostname),
  };
}

/** What this person may know of it. `isWaiting`: it is connected. */
export function lookAt(
  record: PairingRecord | undefined,
  { userId, code, isWaiting, now }: { userId: string; code: string; isWaiting: boolean; now: number },
): PairingLook {
  if (record === undefined || record.said === null) return { state: "none" };
  const { said, decision, since, until, from, names, protocol } = record;
  const isOpen = record.over === null && now < until;
  if (decision !== null) return decision.by.userId === userId ? lookBack(record, isOpen) : { state: "none" };
  if (!isOpen) return { state: "none" };
  const fingerprint = protocol === 2 ? record.fingerprint : null;
  return { state: "asks", request: { code, ...said, fingerprint, from, since, until, isWaiting, names } };
}

/** For who has decided. */
function lookBack({ said, decision, over }: PairingRecord, isOpen: boolean): PairingLook {
  const hostname = said?.hostname ?? "";
  if (decision?.approved !== true) return { state: "denied", hostname };
  if (over === "used") return { state: "approved", hostname, isDelivered: true };
  return isOpen ? { state: "approved", hostname, isDelivered: false } : { state: "none" };
}

/** For one that proposes none: the host's name and something random. */
function clientIdFor(hostname: string): string {
  const name = hostname
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, "-")
    .replaceAll(/^-+|-+$/g, "")
    .slice(0, 40);
  const random = pairingCodeOf(crypto.getRandomValues(new Uint8Array(8))).toLowerCase();
  return `${name || "instance"}-${random.replace("-", "")}`;
}
