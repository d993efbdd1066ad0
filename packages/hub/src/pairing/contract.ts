/** What the object `Pairing` promises the Worker and the pages, and what it tells the dashboards of people who are named. */
import type { RequestPlace } from "../auth/request-place.ts";

/** Whom version 1 names as those who may approve, as it wrote them; where none is named, whoever says the code. */
export interface PairingNames {
  users: string[];
  organization: string | null;
  /** A slug in that organisation, or `organisation/slug`. */
  team: string | null;
}

/** What asks for a token. Names, project and platform are its own words, and none of them is proven. */
export interface PairingRequest {
  code: string;
  hostname: string;
  project: string;
  platform: string;
  /** Of the connector; null where it does not say. */
  software: { name: string; version: string } | null;
  /** Under what it will connect. */
  clientId: string;
  /** To be compared with what it shows; null in version 1, which shows none. */
  fingerprint: string | null;
  /** Where it dialled in from first. */
  from: RequestPlace;
  /** When it asked first, and when that ends; milliseconds since the epoch. */
  since: number;
  until: number;
  /** Whether it is connected now, and waits. */
  isWaiting: boolean;
  names: PairingNames | null;
}

/** `approved`: by the person who looks, and by nobody else's leave. `none`: nothing that this person could decide. */
export type PairingLook =
  | { state: "asks"; request: PairingRequest }
  | { state: "approved"; hostname: string; isDelivered: boolean }
  | { state: "denied"; hostname: string }
  | { state: "none" };

/** Who decides, and by which request. */
export interface PairingPerson {
  userId: string;
  login: string;
  from: RequestPlace;
}

/** What became of it; `waits`: the token is made when the connector is back, if it comes in time. */
export type PairingDecision = "delivered" | "waits" | "denied" | "none";

/** RPC of `Pairing`, named by its code. */
export interface PairingRpc {
  /** What a person sees who says the code. */
  look(userId: string): PairingLook;
  approve(person: PairingPerson): Promise<PairingDecision>;
  deny(person: PairingPerson): Promise<PairingDecision>;
}

/** What the UserHub of somebody who is named keeps of a request, for the notice on their dashboard. */
export interface PairingNotice {
  code: string;
  hostname: string;
  project: string;
  /** Milliseconds since the epoch. */
  since: number;
  until: number;
}
