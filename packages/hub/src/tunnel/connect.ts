/**
 * `GET /ws/connect`: authenticates a connector's upgrade and hands it to its instance's Tunnel. In this order: the edge's
 * rough limit, what can be judged without a database, the token, its owner's admission, and in the Tunnel the exact limit.
 */
import { ClientIdSchema, SUBPROTOCOL } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import { checkEdge, countExact } from "../auth/rate-limits.ts";
import { placeOf } from "../auth/request-place.ts";
import { findAdmitted } from "../auth/session.ts";
import { recordTokenUse, verifyInstanceToken, type TokenHolder, type TokenRefusal } from "../auth/token.ts";
import type { Env } from "../env.ts";
import { instanceLabel } from "../origins.ts";
import { refuseDial } from "./dial-refusal.ts";
import { withConnectorIdentity } from "./internal-headers.ts";

/** When a connector asks again whether its owner may use the hub. */
const NOT_ADMITTED_RETRY_SECONDS = 300;

const REFUSALS: Record<TokenRefusal, string> = {
  malformed: "This is no token of a hub, or a part of it is missing.",
  unknown: "This hub does not know the token.",
  revoked: "The token was revoked.",
  expired: "The token has expired.",
};

/** Answers with 101, or with an error whose body is `{error: {code, message}}` (SPEC.md section 1). */
export async function connectInstance(request: Request, env: Env): Promise<Response> {
  const edge = await checkEdge(env.EDGE_CONNECT, request);
  if (!edge.allowed) return tooMany(edge.retryAfterSeconds);
  const clientId = parseDial(request);
  if (clientId instanceof Response) return clientId;
  const holder = await authenticate(request, env);
  if (holder instanceof Response) return holder;
  const { tokenId, userId: owner, expiresAt } = holder;
  const label = await instanceLabel(owner, clientId);
  const dial = withConnectorIdentity(request, { owner, tokenId, clientId, label, expiresAt });
  const answer = await env.TUNNEL.getByName(label).fetch(dial);
  if (answer.status === 101) await recordTokenUse(env.DB, holder, { clientId, from: placeOf(request) });
  return answer;
}

/** The `client_id` of a dial that is an upgrade in a protocol spoken here. */
function parseDial(request: Request): string | Response {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuseDial(426, "bad_request", "This address takes WebSocket upgrades only.");
  }
  if (!offers(request, SUBPROTOCOL)) {
    return refuseDial(426, "unsupported_version", `This hub speaks ${SUBPROTOCOL}. Update the connector.`);
  }
  const clientId = v.safeParse(ClientIdSchema, new URL(request.url).searchParams.get("client_id"));
  if (clientId.success) return clientId.output;
  const needed = "client_id: 1 to 128 printable ASCII characters without spaces are needed.";
  return refuseDial(400, "bad_request", needed);
}

async function authenticate(request: Request, env: Env): Promise<TokenHolder | Response> {
  const text = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  const verified = await verifyInstanceToken(env.DB, text);
  if ("refused" in verified) {
    const counted = await countExact(env, "bad-token", request);
    if (!counted.allowed) return tooMany(counted.retryAfterSeconds);
    return refuseDial(401, "unauthorized", REFUSALS[verified.refused]);
  }
  const holder = verified.ok;
  if (!holder.scopes.includes("connect")) {
    return refuseDial(401, "unauthorized", "The token is not for instances: it lacks the scope connect.");
  }
  if ((await findAdmitted(env, holder.userId, holder.admission, Date.now())) !== null) return holder;
  const message = "The owner of the token may not use this hub now; when they sign in there, it says why.";
  return refuseDial(403, "not_admitted", message, NOT_ADMITTED_RETRY_SECONDS);
}

function tooMany(retryAfterSeconds: number): Response {
  const message = "There were too many attempts from this address.";
  return refuseDial(429, "rate_limited", message, retryAfterSeconds);
}

function offers(request: Request, protocol: string): boolean {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").some((name) => name.trim() === protocol);
}
