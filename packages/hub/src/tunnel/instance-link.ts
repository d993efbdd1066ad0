/** The way to the instance: which socket speaks for it, what its connectors say, and how their connections end. */
import {
  ConnectionError,
  encodeControl,
  parseConnectorMessage,
  type ConnectionErrorCode,
  type Register,
  type StatusUpdate,
} from "@ai-orchestrator/protocol";
import { isFromFuture } from "../auth/admission.ts";
import type { GoneReason, Inspection, RefreshAnswer } from "../contracts.ts";
import type { Env } from "../env.ts";
import { ActiveConnection } from "./active-connection.ts";
import { attach, attachmentOf, type ConnectorAttachment, type ViewerAttachment } from "./attachments.ts";
import { ConnectorSockets, dismiss, type ConnectorSocket } from "./connector-sockets.ts";
import { Commands } from "./commands.ts";
import { Inspections } from "./inspections.ts";
import type { OpenExchanges } from "./open-exchanges.ts";
import { proofMaxAgeMs } from "../proof-age.ts";
import type { InstanceConnection } from "./instance-connection.ts";
import { StatusPace } from "./status-pace.ts";
import { usage } from "../usage/usage.ts";
import { Bridges } from "./version-1/bridges.ts";
import { receiveVersionOne } from "./version-1/client-messages.ts";
import { VersionOneConnection } from "./version-1/version-one-connection.ts";
import type { ViewerSocket } from "./viewer-socket.ts";

const TOKEN_EXPIRED =
  "The token of this instance has expired. Create one on the hub's Tokens page and start the connector with it.";

/** What is asked of the Tunnel it belongs to. */
interface LinkedTunnel {
  exchanges(): OpenExchanges;
  /** What is due by alarm has changed. */
  changed(): Promise<void>;
  /** A connector with this token speaks for the instance from now on. */
  connectedWith(tokenId: string): void;
  /** Whether the instance is connected may have changed. */
  presenceChanged(): void;
}

export class InstanceLink {
  readonly sockets: ConnectorSockets;
  /** Browsers' WebSockets, where the connector speaks version 1. */
  readonly bridges: Bridges;
  readonly #state: DurableObjectState;
  readonly #tunnel: LinkedTunnel;
  readonly #proofMaxAgeMs: number;
  readonly #inspections = new Inspections();
  readonly #commands = new Commands();
  readonly #pace = new StatusPace();
  #active: ActiveConnection | VersionOneConnection | undefined;
  /** When it proved that it lives, as far as was asked, milliseconds since the epoch. */
  #proof: { active: InstanceConnection; at: number } | undefined;
  /** The last end of a connection, of which the UserHub may have to hear yet. */
  #ending: Promise<void> | undefined;

  constructor(state: DurableObjectState, env: Env, tunnel: LinkedTunnel) {
    this.sockets = new ConnectorSockets(state, env);
    this.bridges = new Bridges(state, () => {
      const active = this.registered();
      return active instanceof VersionOneConnection ? active : undefined;
    });
    this.#state = state;
    this.#tunnel = tunnel;
    this.#proofMaxAgeMs = proofMaxAgeMs(env);
  }

  /** The registered connection, brought back to memory if the object was evicted; proof of life is not asked. */
  registered(): InstanceConnection | undefined {
    if (this.#active) return this.#active;
    const registered = this.sockets.registered();
    if (registered) this.#active = this.#activate(registered);
    return this.#active;
  }

  /** The same where it has proved lately that it lives; where it has not, it is ended. */
  proven(): InstanceConnection | undefined {
    const active = this.registered();
    if (!active) return undefined;
    const now = Date.now();
    const known = this.#proof;
    // What it has proved since makes it no less true.
    if (known?.active === active && now >= known.at && now - known.at <= this.#proofMaxAgeMs) return active;
    const at = this.provenAt(active);
    this.#proof = { active, at };
    if (now - at <= this.#proofMaxAgeMs) return active;
    const message = `No heartbeat for ${this.#proofMaxAgeMs / 1000} seconds.`;
    this.#state.waitUntil(this.end(active.socket, "heartbeat_timeout", message));
    return undefined;
  }

  /** Resolves when the UserHub has been told why the last connection ended. */
  async toldOfEnd(): Promise<void> {
    await Promise.allSettled([this.#ending]);
  }

  /** What the connector says of itself; null where there is none, it does not say so, or not in time. */
  async inspect(): Promise<Inspection | null> {
    const active = this.proven();
    return active?.attachment.tellsLog === true ? this.#inspections.ask(active.socket) : null;
  }

  /** Asks the connector to look again; it is waited for where it says when it has. */
  async refresh(): Promise<RefreshAnswer> {
    const active = this.proven();
    if (!active) return "away";
    if (active.attachment.acknowledges === true)
      return (await this.#commands.give(active.socket, "refresh_status")) ? "done" : "unanswered";
    active.socket.send(encodeControl({ type: "command", command: "refresh_status" }));
    return "asked";
  }

  /**
   * When the connector last proved that it lives, in milliseconds since the epoch. Where a clock that was ahead then has been set
   * back since, that is as long ago as it may be: the next heartbeat tells.
   */
  provenAt({ socket, attachment }: ConnectorSocket): number {
    const [at, now] = [this.sockets.provenAt(socket, attachment), Date.now()];
    return isFromFuture(at, now) ? now - this.#proofMaxAgeMs : at;
  }

  /** A browser's socket in memory; undefined where its connection is gone. Stream ids alone say nothing: each connection has its own. */
  viewer({ connectionId, stream }: ViewerAttachment): ViewerSocket | undefined {
    return this.#activeAs(ActiveConnection, connectionId)?.viewer(stream.id);
  }

  viewerClosed(attachment: ViewerAttachment, code: number, reason: string): void {
    const viewer = this.viewer(attachment);
    if (!viewer) return;
    viewer.browserClosed(code, reason);
    this.#activeAs(ActiveConnection, attachment.connectionId)?.forget(attachment.stream.id);
  }

  /** A message of a connector. Whatever is wrong with it costs the connection, never the object. */
  async receive(
    socket: WebSocket,
    attachment: ConnectorAttachment,
    message: string | ArrayBuffer,
  ): Promise<void> {
    // What was on its way when we closed the socket.
    if (attachment.state === "former" || socket.readyState !== WebSocket.OPEN) return;
    await this.#attempt(socket, () => {
      if (attachment.protocol === 1) return this.#receiveVersionOne(socket, attachment, message);
      return typeof message === "string"
        ? this.#control(socket, attachment, message)
        : this.#frames(attachment, message);
    });
  }

  /** From `at` on (milliseconds since the epoch) this token is worth nothing: what is connected with it then ends. */
  async expireToken(tokenId: string, at: number): Promise<void> {
    for (const { socket, attachment } of this.sockets.withToken(tokenId)) {
      // A connection in memory writes its own copy from time to time.
      const isActive = this.#active?.attachment.connectionId === attachment.connectionId;
      const kept = isActive && this.#active ? this.#active.attachment : attachment;
      // Never later than was said: of two who rotate it at once only one has.
      kept.expiresAt = Math.min(kept.expiresAt ?? at, at);
      attach(socket, kept);
    }
    await this.endExpired();
  }

  /** Ends what is connected with a token that has expired by now. */
  async endExpired(): Promise<void> {
    await this.endAll(this.sockets.expired(Date.now()), "unauthorized", TOKEN_EXPIRED);
  }

  /** All at once: one that is slow to be told about keeps no other. */
  async endAll(sockets: ConnectorSocket[], code: ConnectionErrorCode, message: string): Promise<void> {
    await Promise.all(sockets.map(({ socket }) => this.end(socket, code, message)));
  }

  /** Ends a connector's connection for a reason of ours: it is told, its streams end, its owner sees it. */
  async end(socket: WebSocket, code: ConnectionErrorCode, message: string): Promise<void> {
    const gone = this.gone(socket, code);
    dismiss(socket, code, message);
    await gone;
  }

  /** A connector's socket has ended, or is about to: its streams end, its owner sees it. */
  async gone(socket: WebSocket, reason: GoneReason): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment?.kind !== "connector") return;
    this.sockets.forgetDeadline(attachment);
    if (attachment.state !== "registered") return this.#tunnel.changed();
    // After an eviction there is nothing in memory, and a closing socket is not taken for a connection any more.
    const active = this.#active ?? this.#activate({ socket, attachment });
    if (active.attachment.connectionId === attachment.connectionId) {
      this.#active = undefined;
      this.#inspections.cancel();
      this.#commands.cancel();
      this.#pace.cancel();
      active.lost();
    }
    // A connection that fell silent has been gone since its last sign of life, not since somebody asked.
    const at = reason === "heartbeat_timeout" ? this.provenAt({ socket, attachment }) : Date.now();
    this.#ending = this.sockets.gone({ socket, attachment }, reason, at);
    this.#tunnel.presenceChanged();
    await Promise.all([this.#ending, this.#tunnel.changed()]);
  }

  #frames(attachment: ConnectorAttachment, message: ArrayBuffer): void {
    const active = this.#activeAs(ActiveConnection, attachment.connectionId);
    if (!active) throw new ConnectionError("bad_message", "a frame before registration");
    const failure = active.connection.receive(new Uint8Array(message));
    if (failure) throw failure;
  }

  async #control(socket: WebSocket, attachment: ConnectorAttachment, data: string): Promise<void> {
    const message = parseConnectorMessage(data);
    if (message?.type === "status_update") return this.#report(socket, attachment, message);
    if (message?.type === "log" && attachment.state === "registered")
      return this.#inspections.answered(message);
    if (message?.type === "command_done" && attachment.state === "registered")
      return this.#commands.answered(message);
    if (message?.type === "register") return this.#register(socket, attachment, message);
  }

  #receiveVersionOne(
    socket: WebSocket,
    attachment: ConnectorAttachment,
    message: string | ArrayBuffer,
  ): Promise<void> {
    const link = {
      state: this.#state,
      connection: () => this.#activeAs(VersionOneConnection, attachment.connectionId),
      register: (register: Register) => this.#register(socket, attachment, register),
      report: (update: StatusUpdate) => this.#report(socket, attachment, update),
    };
    return receiveVersionOne(link, socket, attachment, message);
  }

  async #register(socket: WebSocket, attachment: ConnectorAttachment, message: Register): Promise<void> {
    // From memory or from its socket's attachment: its browsers must hear of its end either way.
    const former = this.registered();
    // Before anything is awaited: the socket may be gone again by the time the UserHub has answered.
    this.sockets.register(socket, attachment, message);
    this.#tunnel.connectedWith(attachment.tokenId);
    this.#active = this.#activate({ socket, attachment });
    this.#inspections.cancel();
    this.#commands.cancel();
    this.#pace.cancel();
    former?.lost("the instance has connected anew");
    this.#tunnel.presenceChanged();
    await this.sockets.announce(socket, attachment, message);
  }

  async #report(socket: WebSocket, attachment: ConnectorAttachment, update: StatusUpdate): Promise<void> {
    const send = () => this.sockets.status(attachment, update);
    const level = usage.level(Date.now());
    if (this.#pace.take(Date.now(), level)) return send();
    this.#pace.later(() => this.#state.waitUntil(this.#attempt(socket, send)), level);
  }

  /** Does what a connector's message asks for; where that fails, its connection ends. */
  async #attempt(socket: WebSocket, work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      const failure =
        error instanceof ConnectionError ? error : new ConnectionError("internal_error", String(error));
      await this.end(socket, failure.code, failure.message);
    }
  }

  /** The registered connection, where it is this one and of this kind. */
  #activeAs<T extends ActiveConnection | VersionOneConnection>(
    kind: new (...args: never[]) => T,
    connectionId: string,
  ): T | undefined {
    const active = this.registered();
    const isIt = active instanceof kind && active.attachment.connectionId === connectionId;
    return isIt ? active : undefined;
  }

  #activate(registered: ConnectorSocket): ActiveConnection | VersionOneConnection {
    if (registered.attachment.protocol === 1)
      return new VersionOneConnection(registered, this.#tunnel.exchanges(), this.bridges);
    return new ActiveConnection(this.#state, registered, this.#tunnel.exchanges());
  }
}
