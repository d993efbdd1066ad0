import { errorName, log } from "../log.ts";

/** How long the one who asked waits for a Tunnel that is slow; it is told all the same. */
const PATIENCE_MS = 2000;

/**
 * Tells several Tunnels something, all at once, and again where that fails. Resolves when all were told, or is patient no
 * longer: none of them keeps the others, or who waits for this, from going on. Never rejects.
 */
export async function tellTunnels(
  ctx: Pick<DurableObjectState, "waitUntil">,
  labels: Iterable<string>,
  tell: (label: string) => Promise<void>,
): Promise<void> {
  const told = Promise.all([...labels].map((label) => tellTwice(label, tell)));
  ctx.waitUntil(told);
  let timer: ReturnType<typeof setTimeout> | null = null;
  const patience = new Promise((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS);
  });
  await Promise.race([told, patience]);
  clearTimeout(timer);
}

async function tellTwice(label: string, tell: (label: string) => Promise<void>): Promise<void> {
  try {
    await tell(label).catch(() => tell(label));
  } catch (error) {
    log("tunnel_not_told", { label, error: errorName(error) });
  }
}
