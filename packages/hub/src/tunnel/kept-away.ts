/** An instance that its owner has sent away: dials are refused until they let it back, so the mark of it is stored. */
import { refuseDial } from "./dial-refusal.ts";

const KEY = "keptAway";
/** When its connector asks again whether it may come back. */
const RETRY_SECONDS = 60;

export function isKeptAway({ kv }: DurableObjectStorage): boolean {
  return kv.get<boolean>(KEY) === true;
}

export function markKeptAway({ kv }: DurableObjectStorage): void {
  kv.put(KEY, true);
}

export function unmarkKeptAway({ kv }: DurableObjectStorage): void {
  kv.delete(KEY);
}

export function refuseKeptAway(): Response {
  const message =
    "The owner of this instance has disconnected it. It may come back once they let it on the dashboard.";
  return refuseDial(403, "disconnected", message, RETRY_SECONDS);
}
