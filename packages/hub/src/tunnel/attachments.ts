/** What each socket of a Tunnel carries, so that the object may be evicted while the socket stays open. */
import type { PeerLimits, StreamState } from "@ai-orchestrator/protocol";
import type { OpenSession } from "../auth/open-sessions.ts";
import type { VerifiedViewer } from "./headers.ts";

/** Who dialled in, as the Worker verified it before the Tunnel saw the socket. */
export interface ConnectorIdentity {
  owner: string;
  tokenId: string;
  clientId: string;
  label: string;
  /** When its token is worth nothing any more, in milliseconds since the epoch; null where it does not expire. */
  expiresAt: number | null;
  /** The version of the protocol it dialled in. */
  protocol: 1 | 2;
}

export interface ConnectorAttachment extends ConnectorIdentity {
  kind: "connector";
  /** Random; tells this connection from others of the same instance. */
  connectionId: string;
  /** `registering` until `register`; `former` once replaced or told to leave. */
  state: "registering" | "registered" | "former";
  /** When it dialled, then when it registered, in milliseconds since the epoch. */
  connectedAt: number;
  /** When a heartbeat came that the platform did not answer, in milliseconds since the epoch. */
  heardAt?: number;
  /** When it and those before it replaced another, in version 1, milliseconds since the epoch. */
  takeovers?: number[];
  /** What the connector takes; set by `register`. */
  limits?: PeerLimits;
  /** It answers `log_request`; set by `register`. */
  tellsLog?: boolean;
  /** It says when it has done a command; set by `register`. */
  acknowledges?: boolean;
  /** Which copies of its application's files are still good (`copy-rules.ts`); set by `register`, in version 2. */
  generation?: string;
  /** Stream ids up to this one may have been used. */
  reservedIds: number;
}

/** The sign-in it was opened by, and what belongs to the socket. */
export interface ViewerAttachment extends OpenSession {
  kind: "viewer";
  /** The connection its stream belongs to. */
  connectionId: string;
  stream: StreamState;
}

/** A browser's WebSocket to an instance that speaks version 1: each of its frames is a request of its own. */
export interface BridgeAttachment extends OpenSession {
  kind: "bridge";
  connectionId: string;
  /** Random; the ids of its requests are `<key>:1`, `<key>:2`, … */
  key: string;
  /** How many requests it has sent that are not closed. */
  sent: number;
}

/** The mark in an instance's page, by the sign-in it was opened by. */
export interface PresenceAttachment extends OpenSession {
  kind: "presence";
  /** Milliseconds since the epoch. */
  openedAt: number;
  /** What it was last told of the instance. */
  said: "connected" | "away";
}

export type Attachment = ConnectorAttachment | ViewerAttachment | BridgeAttachment | PresenceAttachment;

/** Tags under which sockets are found again. */
export const SocketTag = {
  connector: "connector",
  viewer: "viewer",
  presence: "presence",
  /** Of a page in path mode. */
  path: "path",
  bridge: (key: string) => `bridge:${key}`,
  session: (sessionId: string) => `session:${sessionId}`,
} as const;

/** Who opens something of an instance, and below which prefix. */
export type Opener = Omit<OpenSession, "usedAt"> & Pick<VerifiedViewer, "prefix">;

/** Tags of a browser's socket. */
export function browserTags(kind: "viewer" | "presence", { sessionId, prefix }: Opener): string[] {
  const tags = [SocketTag[kind], SocketTag.session(sessionId)];
  return prefix === "" ? tags : [...tags, SocketTag.path];
}

/** What was read or written last, while the socket is in memory: to read it anew would cost each message a copy. */
const known = new WeakMap<WebSocket, Attachment>();

/** A socket's attachment, to be replaced and not changed; undefined for one that was accepted but not labelled yet. */
export function attachmentOf(socket: WebSocket): Attachment | undefined {
  const before = known.get(socket);
  if (before !== undefined) return before;
  const attachment = (socket.deserializeAttachment() ?? undefined) as Attachment | undefined;
  if (attachment !== undefined) known.set(socket, attachment);
  return attachment;
}

/** Replaces a socket's attachment. */
export function attach(socket: WebSocket, attachment: Attachment): void {
  socket.serializeAttachment(attachment);
  known.set(socket, attachment);
}
