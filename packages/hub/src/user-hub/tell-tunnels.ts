import { errorName, log } from "../log.ts";
import { withPatience } from "./patience.ts";

/** How long the one who asked waits for a Tunnel that is slow, in milliseconds; it is told all the same. */
export const PATIENCE_MS = 2000;

/**
 * Tells several Tunnels something, all at once, and again where that fails. Resolves when all were told, or is patient no
 * longer: none of them keeps the others, or who waits for this, from going on. Never rejects.
 */
export async function tellTunnels(
  ctx: Pick<DurableObjectState, "waitUntil">,
  labels: Iterable<string>,
  tell: (label: string) => Promise<void>,
): Promise<void> {
  const told = Promise.all([...labels].map((label) => tellOne(label, () => tell(label))));
  ctx.waitUntil(told);
  await withPatience(told, PATIENCE_MS, undefined);
}

/** Tells one Tunnel something, and again where that fails; its answer, or undefined where that fails as well. Never rejects. */
export async function tellOne<T>(label: string, tell: () => Promise<T>): Promise<T | undefined> {
  try {
    return await tell().catch(() => tell());
  } catch (error) {
    log("tunnel_not_told", { label, error: errorName(error) });
    return undefined;
  }
}
