/**
 * What GitHub tells by itself: who left, what was renamed, where the App was removed. Believed only where it is signed with
 * the App's secret. Each delivery takes effect once; as two different events may be equal to the byte, one that comes again
 * only makes the hub ask GitHub, and what GitHub then says counts.
 */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { loadGitHubApp } from "../auth/github-app.ts";
import { isSignedWith, parseWebhook, type WebhookNews } from "../auth/github-webhook.ts";
import { applyNews, doubtNews } from "../auth/membership-news.ts";
import { checkEdge, countExact, requireAllowed } from "../auth/rate-limits.ts";
import { placeOf } from "../auth/request-place.ts";
import { recordAudit } from "../db/audit.ts";
import { findPerson } from "../db/users.ts";
import { isKnownDelivery, noteDelivery } from "../db/webhook-deliveries.ts";
import type { Env } from "../env.ts";
import { errorResponse, HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";

/** GitHub sends up to 25 MB; what the hub listens to is a few KiB. */
const MAX_WEBHOOK_BYTES = 1024 * 1024;

export const webhookPages = new Hono<HubContext>();

webhookPages.post(
  routes.gitHubWebhooks,
  bodyLimit({ maxSize: MAX_WEBHOOK_BYTES, onError: (c) => errorResponse("too_large", c.req.raw) }),
  async (c) => {
    const signature = c.req.header("x-hub-signature-256") ?? "";
    const body = new Uint8Array(await c.req.arrayBuffer());
    const app = await loadGitHubApp(c.env);
    if (!(await isSignedWith(app?.webhookSecret ?? "", signature, body)))
      throw await refusal(c.env, c.req.raw);
    const news = readNews(c.req.raw, body);
    if (news !== null) {
      const work = takeEffect(c.env, signature, news);
      // GitHub waits for ten seconds; what concerns many may take longer, and goes on when GitHub has left.
      c.executionCtx.waitUntil(Promise.allSettled([work]));
      await work;
    }
    return c.body(null, 204);
  },
);

async function takeEffect(env: Env, signature: string, news: WebhookNews): Promise<void> {
  // Organisations have many people who never came here, and anybody may install a public App on theirs.
  if ("userId" in news && (await findPerson(env.DB, news.userId)) === null) return;
  if (await isKnownDelivery(env.DB, signature)) return doubtNews(env, news);
  await applyNews(env, news);
  await noteDelivery(env.DB, signature);
}

function readNews(request: Request, body: Uint8Array<ArrayBuffer>): WebhookNews | null {
  const event = request.headers.get("x-github-event");
  if (event === null) throw new HubError("bad_request", { message: "X-GitHub-Event is missing." });
  try {
    const payload: unknown = JSON.parse(
      new TextDecoder("utf-8", { fatal: true, ignoreBOM: false }).decode(body),
    );
    return parseWebhook(event, payload);
  } catch {
    // What was parsed may stand in the error, so it is not repeated.
    throw new HubError("bad_request", {
      message: "The payload cannot be read. Set the webhook's content type to application/json.",
    });
  }
}

/** Counted, and written into the audit log as long as they are few. GitHub's own are counted nowhere. */
async function refusal(env: Env, request: Request): Promise<HubError> {
  requireAllowed(await checkEdge(env.EDGE_SIGN_IN, request));
  requireAllowed(await countExact(env, "refused-webhook", request));
  await recordAudit(env.DB, {
    action: "webhook_refused",
    userId: null,
    login: null,
    subject: null,
    reason: request.headers.has("x-hub-signature-256") ? "wrong_signature" : "no_signature",
    from: placeOf(request),
  });
  return new HubError("webhook_refused");
}
