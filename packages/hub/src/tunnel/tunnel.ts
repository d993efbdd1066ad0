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
import type { GoneReason, Presence, TunnelRpc } from "../contracts.ts";
import type { Env } from "../env.ts";
import { errorResponse } from "../errors.ts";
import { routes } from "../routes.ts";
import { closeQuietly } from "./close-socket.ts";
import { ActiveConnection } from "./active-connection.ts";
import { attachmentOf, type ConnectorAttachment, type ViewerAttachment } from "./attachments.ts";
import { ConnectorSockets, dismiss } from "./connector-sockets.ts";
import { readConnectorIdentity, readViewer } from "./internal-headers.ts";
import { proxy } from "./proxy.ts";
import type { ViewerSocket } from "./viewer-socket.ts";

/** Connectors prove that they live every 30 s; what is older than this is a socket without anybody behind it. */
const PROOF_MAX_AGE_MS = 90_000;

export class Tunnel extends DurableObject<Env> implements TunnelRpc {
  readonly #connectors: ConnectorSockets;
  #active: ActiveConnection | undefined;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#connectors = new ConnectorSockets(state, env);
    state.setWebSocketAutoResponse(new WebSocketRequestResponsePair(HEARTBEAT_PING, HEARTBEAT_PONG));
  }

  /** From the Worker only: a connector's upgrade, or a viewer's request that the ingress let through. */
  override async fetch(request: Request): Promise<Response> {
    const identity = readConnectorIdentity(request);
    if (identity) return this.#connectors.accept(identity);
    const viewer = readViewer(request);
    if (!viewer || viewer.userId !== this.#connectors.owner()) return errorResponse("not_found", request);
    const active = this.#provenConnection();
    if (!active) return this.#offline(request);
    return proxy(active, request, viewer);
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
    if (attachment?.kind === "viewer") return this.#viewerClosed(attachment, code, reason);
    await this.#connectorGone(socket, code === 1000 ? "stopped" : "connection_lost");
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment?.kind === "viewer") return this.#viewerClosed(attachment, 1006, "");
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
    const active = owner === this.#connectors.owner() ? this.#connection() : undefined;
    if (active) await this.#end(active.socket, reason, message);
  }

  async disconnectToken(owner: string, tokenId: string): Promise<void> {
    if (owner !== this.#connectors.owner()) return;
    for (const { socket, attachment } of this.#connectors.all()) {
      if (attachment.tokenId !== tokenId || attachment.state === "former") continue;
      await this.#end(socket, "token_revoked", "The token of this instance was revoked.");
    }
  }

  async tokenExpires(_owner: string, _tokenId: string, _at: number): Promise<void> {}

  async endSessions(_owner: string, _sessionIds: string[]): Promise<void> {}

  async refreshStatus(owner: string): Promise<void> {
    const active = owner === this.#connectors.owner() ? this.#connection() : undefined;
    active?.socket.send(encodeControl({ type: "command", command: "refresh_status" }));
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
    this.#active = new ActiveConnection(this.ctx, socket, attachment);
    former?.connection.lost("the instance has connected anew");
    await this.#connectors.announce(socket, attachment, message);
  }

  /** The registered connection, brought back to memory if this object was evicted; proof of life is not asked. */
  #connection(): ActiveConnection | undefined {
    if (this.#active) return this.#active;
    const registered = this.#connectors.registered();
    if (registered) this.#active = new ActiveConnection(this.ctx, registered.socket, registered.attachment);
    return this.#active;
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
    if (attachment.state !== "registered") return;
    // After an eviction there is nothing in memory, and a closing socket is not taken for a connection any more.
    const active = this.#active ?? new ActiveConnection(this.ctx, socket, attachment);
    if (active.attachment.connectionId === attachment.connectionId) {
      this.#active = undefined;
      active.connection.lost();
    }
    await this.#connectors.gone(socket, attachment, reason);
  }
}
