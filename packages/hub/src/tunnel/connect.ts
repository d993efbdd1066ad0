/** `GET /ws/connect`: authenticates a connector's upgrade and hands it to its instance's Tunnel. */
import { ClientIdSchema, SUBPROTOCOL } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import { placeOf } from "../auth/request-place.ts";
import { recordTokenUse, verifyInstanceToken } from "../auth/token.ts";
import type { Env } from "../env.ts";
import { instanceLabel } from "../origins.ts";
import { withConnectorIdentity } from "./internal-headers.ts";

/** Answers with 101, or with an error whose body is `{error: {code, message}}` (SPEC.md section 1). */
export async function connectInstance(request: Request, env: Env): Promise<Response> {
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket") {
    return refuse(426, "bad_request", "This address takes WebSocket upgrades only.");
  }
  if (!offers(request, SUBPROTOCOL)) {
    return refuse(426, "unsupported_version", `This hub speaks ${SUBPROTOCOL}. Update the connector.`);
  }
  const clientId = v.safeParse(ClientIdSchema, new URL(request.url).searchParams.get("client_id"));
  if (!clientId.success) {
    return refuse(
      400,
      "bad_request",
      "client_id: 1 to 128 printable ASCII characters without spaces are needed.",
    );
  }
  const token = /^Bearer (\S+)$/i.exec(request.headers.get("authorization") ?? "")?.[1];
  const verified = await verifyInstanceToken(env.DB, token ?? "");
  if ("refused" in verified)
    return refuse(
      401,
      "unauthorized",
      "The token is unknown or was revoked. Create one on the hub's Tokens page.",
    );
  const { userId: owner, tokenId, expiresAt } = verified.ok;
  const label = await instanceLabel(owner, clientId.output);
  await recordTokenUse(env.DB, verified.ok, { clientId: clientId.output, from: placeOf(request) });
  const identity = { owner, tokenId, clientId: clientId.output, label, expiresAt };
  return env.TUNNEL.getByName(label).fetch(withConnectorIdentity(request, identity));
}

function offers(request: Request, protocol: string): boolean {
  const offered = request.headers.get("sec-websocket-protocol") ?? "";
  return offered.split(",").some((name) => name.trim() === protocol);
}

function refuse(status: number, code: string, message: string): Response {
  return Response.json({ error: { code, message } }, { status, headers: { "cache-control": "no-store" } });
}
