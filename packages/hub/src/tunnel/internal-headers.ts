/**
 * What the Worker tells a Tunnel with a request: who dialled in, or who looks. Only the Worker can reach a Tunnel, and it
 * removes every `X-Orchestrator-*` a peer sent before it sets its own.
 */
import * as v from "valibot";
import type { ConnectorIdentity } from "./attachments.ts";
import type { VerifiedViewer } from "./headers.ts";

const CONNECTOR = "x-orchestrator-connector";
const VIEWER = "x-orchestrator-viewer";
/** In a Tunnel's answer; an instance's answer cannot have it. */
const SIGNED_OUT = "x-orchestrator-signed-out";
/** In a Tunnel's answer whose body its instance, of version 1, has fitted to the prefix itself; removed by the ingress. */
export const CLIENT_VERSION = "x-orchestrator-client-version";

const IdentitySchema = v.object({
  owner: v.string(),
  tokenId: v.string(),
  clientId: v.string(),
  label: v.string(),
  expiresAt: v.nullable(v.number()),
  protocol: v.picklist([1, 2]),
});
const ViewerSchema = v.object({
  userId: v.string(),
  login: v.string(),
  sessionId: v.string(),
  checkAt: v.number(),
  origin: v.string(),
  prefix: v.string(),
  copy: v.optional(v.string()),
});

/** What was read out of this text before: a browser's requests all come with the same. */
const viewers = new Map<string, VerifiedViewer>();
const MAX_VIEWERS = 100;

/** A copy of the request that says who dials in. */
export function withConnectorIdentity(request: Request, identity: ConnectorIdentity): Request {
  return withHeader(request, CONNECTOR, identity);
}

/** A copy of the request that says who looks. */
export function withViewer(request: Request, viewer: VerifiedViewer): Request {
  return withHeader(request, VIEWER, viewer);
}

export function readConnectorIdentity(request: Request): ConnectorIdentity | undefined {
  return readHeader(request, CONNECTOR, IdentitySchema);
}

export function readViewer(request: Request): VerifiedViewer | undefined {
  const value = request.headers.get(VIEWER);
  if (value === null) return undefined;
  const known = viewers.get(value);
  if (known) return known;
  const viewer = readHeader(request, VIEWER, ViewerSchema);
  if (viewers.size >= MAX_VIEWERS) viewers.clear();
  if (viewer) viewers.set(value, viewer);
  return viewer;
}

/** A Tunnel's answer to a viewer whose sign-in has ended; the ingress makes it one for browsers. */
export function signedOutAnswer(): Response {
  return new Response(null, { status: 401, headers: { [SIGNED_OUT]: "1" } });
}

export function isSignedOutAnswer(response: Response): boolean {
  return response.headers.has(SIGNED_OUT);
}

function withHeader(request: Request, name: string, value: object): Request {
  const copy = new Request(request, { redirect: "manual" });
  for (const field of request.headers.keys())
    if (field.startsWith("x-orchestrator-")) copy.headers.delete(field);
  copy.headers.set(name, encodeURIComponent(JSON.stringify(value)));
  return copy;
}

function readHeader<T>(request: Request, name: string, schema: v.GenericSchema<unknown, T>): T | undefined {
  const value = request.headers.get(name);
  return value === null ? undefined : v.parse(schema, JSON.parse(decodeURIComponent(value)));
}
