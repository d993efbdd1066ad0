import { errorName, log } from "../log.ts";

/** Tells the dashboards of these people: one that cannot be told costs nobody else theirs. */
export async function tellEach(
  userIds: readonly string[],
  tell: (userId: string) => Promise<void>,
): Promise<void> {
  for (const result of await Promise.allSettled(userIds.map(tell)))
    if (result.status === "rejected") log("dashboard_not_told", { error: errorName(result.reason) });
}
