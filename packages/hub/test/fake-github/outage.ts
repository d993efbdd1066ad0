/** How the fake GitHub fails. */
import { problem } from "./rest.ts";

/** GitHub's API and its token endpoint fail so; the pages that people see go on. */
export type Outage = "none" | "down" | "500" | "slow" | "rate_limited" | "secondary_rate_limited";

/** The failure in place of an answer; undefined where GitHub answers. Throws as `fetch` does where it is down. */
export async function fail(
  outage: Outage,
  request: Request,
  settings: { isApi: boolean; slowMs: number; now: number },
): Promise<Response | undefined> {
  switch (outage) {
    case "none":
      return undefined;
    case "down":
      throw new TypeError("Network connection lost.");
    case "500":
      return new Response("<html><title>Unicorn!</title></html>", { status: 502 });
    case "slow":
      await pause(settings.slowMs, request.signal);
      return undefined;
    case "rate_limited":
      return settings.isApi ? rateLimited(settings.now) : undefined;
    case "secondary_rate_limited":
      return settings.isApi ? secondaryRateLimited() : undefined;
  }
}

function rateLimited(now: number): Response {
  const reset = String(Math.ceil(now / 1000) + 1800);
  const headers = { "x-ratelimit-limit": "5000", "x-ratelimit-remaining": "0", "x-ratelimit-reset": reset };
  return problem(403, "API rate limit exceeded for user ID 1.", headers);
}

function secondaryRateLimited(): Response {
  const message = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
  return problem(403, message, { "retry-after": "60" });
}

/** Waits, or until the caller gives up, whose reason it then throws. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason instanceof Error ? signal.reason : new Error("aborted"));
    });
  });
}
