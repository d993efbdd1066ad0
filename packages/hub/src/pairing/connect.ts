/**
 * `GET /ws/pending`: an instance without a token asks for one. There is nobody to authenticate, so here stand the edge's rough
 * limit and what can be judged without a database; the object named by the code counts exactly and keeps the time.
 */
import { pairingCodeOf, PAIRING_SECRET, pairingFingerprint, SUBPROTOCOL } from "@ai-orchestrator/protocol";
import { signBytes } from "../auth/keys.ts";
import { checkEdge } from "../auth/rate-limits.ts";
import { placeKey, placeOf } from "../auth/request-place.ts";
import type { Env } from "../env.ts";
import { randomSecret, sha256 } from "../secrets.ts";
import { refuseDial } from "../tunnel/dial-refusal.ts";
import { readNames } from "./names.ts";
import type { PairingDial } from "./record.ts";

const DIAL = "x-pairing-dial";

/** Answers with 101, or with an error whose body is `{error: {code, message}}` (SPEC.md section 11). */
export async function connectPending(request: Request, env: Env): Promise<Response> {
  const edge = await checkEdge(env.EDGE_CONNECT, request, "pairing");
  if (!edge.allowed) return tooManyPairings(edge.retryAfterSeconds);
  if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
    return refuseDial(426, "bad_request", "This address takes WebSocket upgrades only.");
  // Any page that somebody has open could ask in their place: connectors are programs, which say no origin.
  if (request.headers.has("origin"))
    return refuseDial(403, "bad_request", "Instances ask for a token here, not pages in a browser.");
  const asked = readDial(request);
  if (asked instanceof Response) return asked;
  const { secret, protocol, names } = asked;
  const code = pairingCodeOf(await signBytes(env, "pairing-code", secret));
  const dial: PairingDial = {
    protocol,
    names,
    secretHash: await sha256(secret),
    fingerprint: await pairingFingerprint(secret),
    from: placeOf(request),
    place: placeKey(request),
  };
  const headers = { upgrade: "websocket", [DIAL]: encodeURIComponent(JSON.stringify(dial)) };
  return env.PAIRING.getByName(code).fetch(new Request(request.url, { headers }));
}

/** What the Worker says of a dial to the object, which nobody else can reach. */
export function readPairingDial(headers: Headers): PairingDial | undefined {
  const text = headers.get(DIAL);
  return text === null ? undefined : (JSON.parse(decodeURIComponent(text)) as PairingDial);
}

export function tooManyPairings(retryAfterSeconds: number): Response {
  const message = "Too many instances have asked for a token from this address.";
  return refuseDial(429, "rate_limited", message, retryAfterSeconds);
}

/** The secret is version 2's own; one of version 1 has none, so its request ends with its connection. */
function readDial(
  request: Request,
): (Pick<PairingDial, "protocol" | "names"> & { secret: string }) | Response {
  const offered = request.headers.get("sec-websocket-protocol");
  if (offered === null) {
    const names = readNames(new URL(request.url).searchParams);
    if (names !== undefined) return { protocol: 1, names, secret: randomSecret() };
    return refuseDial(400, "bad_request", "user, org and team: names of at most 160 characters, 20 users.");
  }
  if (!offered.split(",").some((name) => name.trim() === SUBPROTOCOL))
    return refuseDial(426, "unsupported_version", `This hub speaks ${SUBPROTOCOL}. Update the connector.`);
  const [, secret = ""] = /^Pairing (\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
  if (PAIRING_SECRET.test(secret)) return { protocol: 2, names: null, secret };
  return refuseDial(401, "unauthorized", "Authorization: Pairing and 43 characters of base64url are needed.");
}
