/**
 * One instance's socket and its streams, nothing else (docs/architecture.md, "Tunnel"). Named by the instance's label.
 * Nothing that matters lives only in memory: sockets carry attachments, the owner stands in storage.
 */
import { DurableObject } from "cloudflare:workers";
import {
  ConnectionError,
  encodeControl,
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  parseConnectorMessage,
  type ConnectionErrorCode,
} from "@ai-orchestrator/protocol";
import type { GoneReason, Inspection, Presence, SignedOut, TunnelRpc } from "../contracts.ts";
import type { Env } from "../env.ts";
import { errorResponse } from "../errors.ts";
import { Alarm } from "../alarm.ts";
import { routes } from "../routes.ts";
import { closeQuietly } from "./close-socket.ts";
import { ActiveConnection } from "./active-connection.ts";
import {
  attach,
  attachmentOf,
  type ConnectorAttachment,
  type ConnectorIdentity,
  type ViewerAttachment,
} from "./attachments.ts";
import { ConnectorSockets, dismiss, type ConnectorSocket } from "./connector-sockets.ts";
import { readConnectorIdentity, readViewer, signedOutAnswer } from "./internal-headers.ts";
import { proxy } from "./proxy.ts";
import { ViewerSessions } from "./viewer-sessions.ts";
import type { ViewerSocket } from "./viewer-socket.ts";

/** Connectors prove that they live every 30 s; what is older than this is a socket without anybody behind it. */
const PROOF_MAX_AGE_MS = 90_000;
const TOKEN_EXPIRED =
  "The token of this instance has expired. Create one on the hub's Tokens page and start the connector with it.";

export class Tunnel extends DurableObject<Env> implements TunnelRpc {
  readonly #connectors: ConnectorSockets;
  readonly #sessions: ViewerSessions;
  readonly #alarm: Alarm;
  #isAlarmed = false;
  #active: ActiveConnection | undefined;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#connectors = new ConnectorSockets(state, env);
    this.#alarm = new Alarm(state.storage);
    this.#sessions = new ViewerSessions(state, env, {
      owner: () => this.#connectors.owner(),
      viewer: (attachment) => this.#viewer(attachment),
      changed: () => state.waitUntil(this.#schedule()),
    });
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT_PING, HEARTBEAT_PONG));
  }

  /** From the Worker only: a connector's upgrade, or a viewer's request that the ingress let through. */
  override async fetch(request: Request): Promise<Response> {
    const identity = readConnectorIdentity(request);
    if (identity) return this.#accept(identity);
    const viewer = readViewer(request);
    if (!viewer || viewer.userId !== this.#connectors.owner()) return errorResponse("not_found", request);
    if (this.#sessions.isEnded(viewer.sessionId)) return signedOutAnswer();
    const active = this.#provenConnection();
    if (!active) return this.#offline(request);
    const response = await proxy(active, request, viewer);
    if (this.#sessions.isEnded(viewer.sessionId)) return signedOutAnswer();
    if (response.webSocket) await this.#schedule();
    return response;
  }

  /** Something is due: a token expires, or a sign-in that has something open must be asked after. */
  override async alarm(): Promise<void> {
    this.#alarm.wentOff();
    this.#isAlarmed = true;
    try {
      await this.#endExpired();
      await this.#sessions.recheck();
    } finally {
      this.#isAlarmed = false;
      await this.#schedule();
    }
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment?.kind === "viewer") {
      const viewer = this.#viewer(attachment);
      if (viewer) viewer.fromBrowser(message);
      else closeQuietly(socket, 1012, "The connection to the instance was lost.");
      return;
    }
    if (attachment?.kind !== "connector" || attachment.state === "former") return;
    // What was on its way when we closed the socket.
    if (socket.readyState !== WebSocket.OPEN) return;
    try {
      await this.#fromConnector(socket, attachment, message);
    } catch (error) {
      const failure =
        error instanceof ConnectionError ? error : new ConnectionError("internal_error", String(error));
      await this.#end(socket, failure.code, failure.message);
    }
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    const attachment = attachmentOf(socket);
    closeQuietly(socket, code, reason);
    if (attachment?.kind === "viewer") {
      this.#viewerClosed(attachment, code, reason);
      return this.#schedule();
    }
    await this.#connectorGone(socket, code === 1000 ? "stopped" : "connection_lost");
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment?.kind === "viewer") {
      this.#viewerClosed(attachment, 1006, "");
      return this.#schedule();
    }
    await this.#connectorGone(socket, "connection_lost");
  }

  async presence(owner: string): Promise<Presence> {
    if (owner !== this.#connectors.owner()) return { connected: false, provenAt: null };
    const active = this.#provenConnection();
    return active
      ? { connected: true, provenAt: this.#connectors.provenAt(active.socket, active.attachment) }
      : { connected: false, provenAt: null };
  }

  async disconnect(owner: string, reason: ConnectionErrorCode, message: string): Promise<void> {
    if (owner !== this.#connectors.owner()) return;
    await this.#endAll(this.#connectors.live(), reason, message);
  }

  async disconnectToken(owner: string, tokenId: string): Promise<void> {
    if (owner !== this.#connectors.owner()) return;
    const message = "The token of this instance was revoked.";
    await this.#endAll(this.#connectors.withToken(tokenId), "token_revoked", message);
  }

  async tokenExpires(owner: string, tokenId: string, at: number): Promise<void> {
    if (owner !== this.#connectors.owner()) return;
    for (const { socket, attachment } of this.#connectors.withToken(tokenId)) {
      // A connection in memory writes its own copy from time to time.
      const isActive = this.#active?.attachment.connectionId === attachment.connectionId;
      const kept = isActive && this.#active ? this.#active.attachment : attachment;
      // Never later than was said: of two who rotate it at once only one has.
      kept.expiresAt = Math.min(kept.expiresAt ?? at, at);
      attach(socket, kept);
    }
    await this.#endExpired();
    await this.#schedule();
  }

  async endSessions(owner: string, sessionIds: string[]): Promise<void> {
    if (owner !== this.#connectors.owner()) return;
    this.#sessions.end(sessionIds);
    await this.#schedule();
  }

  async isReady(owner: string, sessionId: string): Promise<boolean | SignedOut> {
    if (owner !== this.#connectors.owner()) return false;
    if (this.#sessions.isEnded(sessionId)) return "signed_out";
    return this.#provenConnection() !== undefined;
  }

  async refreshStatus(owner: string): Promise<boolean> {
    const active = owner === this.#connectors.owner() ? this.#connection() : undefined;
    active?.socket.send(encodeControl({ type: "command", command: "refresh_status" }));
    return active !== undefined;
  }

  async keepAway(owner: string, message: string): Promise<void> {
    await this.disconnect(owner, "disconnected", message);
  }

  async letBack(_owner: string): Promise<void> {}

  async inspect(_owner: string): Promise<Inspection | null> {
    return null;
  }

  async #fromConnector(
    socket: WebSocket,
    attachment: ConnectorAttachment,
    message: string | ArrayBuffer,
  ): Promise<void> {
    if (typeof message === "string") return this.#control(socket, attachment, message);
    const active = this.#connection();
    if (active?.attachment.connectionId !== attachment.connectionId) {
      throw new ConnectionError("bad_message", "a frame before registration");
    }
    const failure = active.connection.receive(new Uint8Array(message));
    if (failure) throw failure;
  }

  async #control(socket: WebSocket, attachment: ConnectorAttachment, data: string): Promise<void> {
    const message = parseConnectorMessage(data);
    if (message?.type === "status_update") return this.#connectors.status(attachment, message);
    if (message?.type !== "register") return;
    // From memory or from its socket's attachment: its browsers must hear of its end either way.
    const former = this.#connection();
    // Before anything is awaited: the socket may be gone again by the time the UserHub has answered.
    this.#connectors.register(socket, attachment, message);
    this.#active = this.#activate({ socket, attachment });
    former?.connection.lost("the instance has connected anew");
    await this.#connectors.announce(socket, attachment, message);
  }

  /** The registered connection, brought back to memory if this object was evicted; proof of life is not asked. */
  #connection(): ActiveConnection | undefined {
    if (this.#active) return this.#active;
    const registered = this.#connectors.registered();
    if (registered) this.#active = this.#activate(registered);
    return this.#active;
  }

  #activate(registered: ConnectorSocket): ActiveConnection {
    return new ActiveConnection(this.ctx, registered, this.#sessions.exchanges);
  }

  #provenConnection(): ActiveConnection | undefined {
    const active = this.#connection();
    if (!active) return undefined;
    if (Date.now() - this.#connectors.provenAt(active.socket, active.attachment) <= PROOF_MAX_AGE_MS)
      return active;
    this.ctx.waitUntil(this.#end(active.socket, "heartbeat_timeout", "No heartbeat for 90 seconds."));
    return undefined;
  }

  #offline(request: Request): Response {
    const instance = this.#connectors.clientId();
    const link = { href: new URL(routes.dashboard, this.env.HUB_ORIGIN).href, text: "Go to the dashboard" };
    return errorResponse("instance_offline", request, {
      link,
      ...(instance === undefined ? {} : { instance }),
    });
  }

  /** A browser's socket in memory; undefined where its connection is gone. Stream ids alone say nothing: each connection has its own. */
  #viewer({ connectionId, stream }: ViewerAttachment): ViewerSocket | undefined {
    const active = this.#connection();
    return active?.attachment.connectionId === connectionId ? active.viewer(stream.id) : undefined;
  }

  #viewerClosed(attachment: ViewerAttachment, code: number, reason: string): void {
    const viewer = this.#viewer(attachment);
    if (!viewer) return;
    viewer.browserClosed(code, reason);
    this.#active?.forget(attachment.stream.id);
  }

  /** Ends a connector's connection for a reason of ours: it is told, its streams end, its owner sees it. */
  async #end(socket: WebSocket, code: ConnectionErrorCode, message: string): Promise<void> {
    const gone = this.#connectorGone(socket, code);
    dismiss(socket, code, message);
    await gone;
  }

  async #connectorGone(socket: WebSocket, reason: GoneReason): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment?.kind !== "connector") return;
    this.#connectors.forgetDeadline(attachment);
    if (attachment.state !== "registered") return this.#schedule();
    // After an eviction there is nothing in memory, and a closing socket is not taken for a connection any more.
    const active = this.#active ?? this.#activate({ socket, attachment });
    if (active.attachment.connectionId === attachment.connectionId) {
      this.#active = undefined;
      active.connection.lost();
    }
    await Promise.all([this.#connectors.gone(socket, attachment, reason), this.#schedule()]);
  }

  /** All at once: one that is slow to be told about keeps no other. */
  async #endAll(sockets: ConnectorSocket[], code: ConnectionErrorCode, message: string): Promise<void> {
    await Promise.all(sockets.map(({ socket }) => this.#end(socket, code, message)));
  }

  async #endExpired(): Promise<void> {
    await this.#endAll(this.#connectors.expired(Date.now()), "unauthorized", TOKEN_EXPIRED);
  }

  /** Sets the alarm to what is due first. While it is being handled, what is due is in hand. */
  async #schedule(): Promise<void> {
    if (this.#isAlarmed) return;
    await this.#alarm.set(() => {
      const times = [this.#connectors.expireAt(), this.#sessions.dueAt()].filter((at) => at !== null);
      return times.length === 0 ? null : Math.min(...times);
    });
  }

  async #accept(identity: ConnectorIdentity): Promise<Response> {
    const response = this.#connectors.accept(identity);
    await this.#schedule();
    return response;
  }
}
