/**
 * `GET /ws/connect`: authenticates a connector's upgrade and hands it to its instance's Tunnel. In this order: the edge's
 * rough limit, what can be judged without a database, the token, its owner's admission, and in the Tunnel the exact limit.
 */
import { ClientIdSchema, SUBPROTOCOL } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import { checkEdge } from "../auth/rate-limits.ts";
import { placeOf } from "../auth/request-place.ts";
import { recordTokenUse, type TokenHolder } from "../auth/token.ts";
import type { Env } from "../env.ts";
import { instanceLabel } from "../origins.ts";
import type { ConnectorIdentity } from "./attachments.ts";
import { refuseDial } from "./dial-refusal.ts";
import { checkDialToken, refused, tooManyFrom } from "./dial-token.ts";
import { withConnectorIdentity } from "./internal-headers.ts";
import { connectVersionOne, isVersionOne } from "./version-1/dial.ts";

/** Answers with 101, or with an error whose body is `{error: {code, message}}` (SPEC.md section 1). */
export async function connectInstance(request: Request, env: Env): Promise<Response> {
  const edge = await checkEdge(env.EDGE_CONNECT, request);
  if (!edge.allowed) return refused(tooManyFrom(edge.retryAfterSeconds));
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
    return refuseDial(426, "bad_request", "This address takes WebSocket upgrades only.");
  const dial = (holder: TokenHolder, clientId: string, protocol: ConnectorIdentity["protocol"]) =>
    dialTunnel(request, env, { holder, clientId, protocol });
  if (isVersionOne(request)) return connectVersionOne(request, env, dial);
  if (!offers(request, SUBPROTOCOL))
    return refuseDial(426, "unsupported_version", `This hub speaks ${SUBPROTOCOL}. Update the connector.`);
  const clientId = v.safeParse(ClientIdSchema, new URL(request.url).searchParams.get("client_id"));
  if (!clientId.success) {
    const needed = "client_id: 1 to 128 printable ASCII characters without spaces are needed.";
    return refuseDial(400, "bad_request", needed);
  }
  const text = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1] ?? "";
  const checked = await checkDialToken(request, env, text);
  return "refused" in checked ? refused(checked.refused) : dial(checked.holder, clientId.output, 2);
}

interface Dial extends Pick<ConnectorIdentity, "clientId" | "protocol"> {
  holder: TokenHolder;
}

async function dialTunnel(
  request: Request,
  env: Env,
  { holder, clientId, protocol }: Dial,
): Promise<Response> {
  const { tokenId, userId: owner, expiresAt } = holder;
  const label = await instanceLabel(owner, clientId);
  const identity = { owner, tokenId, clientId, label, expiresAt, protocol };
  const answer = await env.TUNNEL.getByName(label).fetch(withConnectorIdentity(request, identity));
  if (answer.status === 101) await recordTokenUse(env.DB, holder, { clientId, from: placeOf(request) });
  return answer;
}

function offers(request: Request, protocol: string): boolean {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").some((name) => name.trim() === protocol);
}
