/** The connectors' sockets of one Tunnel: accepting, registering, status, replacing, and telling the owner's UserHub. */
import {
  CONNECTION_ERRORS,
  ConnectionError,
  DEFAULT_PEER_LIMITS,
  encodeControl,
  LIMITS,
  parseConnectorMessage,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
  truncateReason,
  type ConnectionErrorCode,
  type Register,
} from "@ai-orchestrator/protocol";
import type { GoneReason } from "../contracts.ts";
import type { Env } from "../env.ts";
import { instanceOrigin } from "../origins.ts";
import {
  attach,
  attachmentOf,
  SocketTag,
  type ConnectorAttachment,
  type ConnectorIdentity,
} from "./attachments.ts";

/** Connectors of one instance that have not registered yet; more than this and the oldest is dropped. */
const MAX_REGISTERING = 4;
const SOFTWARE = { name: "ai-orchestrator-hub", version: "0.1.0" };

interface ConnectorSocket {
  socket: WebSocket;
  attachment: ConnectorAttachment;
}

export class ConnectorSockets {
  readonly #state: DurableObjectState;
  readonly #env: Env;

  constructor(state: DurableObjectState, env: Env) {
    this.#state = state;
    this.#env = env;
  }

  /** The user this instance belongs to; undefined before the first connection. */
  owner(): string | undefined {
    return this.#state.storage.kv.get<string>("owner");
  }

  all(): ConnectorSocket[] {
    return this.#state.getWebSockets(SocketTag.connector).flatMap((socket) => {
      const attachment = attachmentOf(socket);
      return attachment?.kind === "connector" ? [{ socket, attachment }] : [];
    });
  }

  registered(): ConnectorSocket | undefined {
    return this.all().find(({ attachment }) => attachment.state === "registered");
  }

  /** When the connector last proved that it lives, in milliseconds since the epoch. */
  provenAt(socket: WebSocket, attachment: ConnectorAttachment): number {
    return this.#state.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? attachment.connectedAt;
  }

  /** Accepts a connector that the Worker has authenticated; it must register in time. */
  accept(identity: ConnectorIdentity): Response {
    const owner = this.owner();
    if (owner !== undefined && owner !== identity.owner) return new Response(null, { status: 404 });
    if (owner === undefined) this.#state.storage.kv.put("owner", identity.owner);
    this.#dropOldestRegistering();
    const { 0: connectorEnd, 1: socket } = new WebSocketPair();
    this.#state.acceptWebSocket(socket, [SocketTag.connector]);
    const connectionId = crypto.randomUUID();
    const now = Date.now();
    attach(socket, {
      kind: "connector",
      state: "registering",
      connectionId,
      connectedAt: now,
      reservedIds: 0,
      ...identity,
    });
    setTimeout(() => this.#expectRegistered(socket), LIMITS.registerTimeoutSeconds * 1000);
    const headers = { "sec-websocket-protocol": SUBPROTOCOL };
    return new Response(null, { status: 101, webSocket: connectorEnd, headers });
  }

  /** Takes a control message; true when it made this socket the registered one. Throws `ConnectionError`. */
  async control(socket: WebSocket, attachment: ConnectorAttachment, data: string): Promise<boolean> {
    const message = parseConnectorMessage(data);
    if (message?.type === "register") {
      await this.#register(socket, attachment, message);
      return true;
    }
    if (message?.type !== "status_update") return false;
    if (attachment.state !== "registered")
      throw new ConnectionError("bad_message", "status_update before register");
    const { status, sessions } = message;
    await this.#userHub(attachment).instanceStatus(attachment.clientId, { status, sessions, at: Date.now() });
    return false;
  }

  /** Marks a socket as no longer the instance's and tells the UserHub. */
  async gone(socket: WebSocket, attachment: ConnectorAttachment, reason: GoneReason): Promise<void> {
    attach(socket, { ...attachment, state: "former" });
    await this.#userHub(attachment).instanceGone(
      attachment.clientId,
      attachment.connectedAt,
      reason,
      Date.now(),
    );
  }

  async #register(socket: WebSocket, attachment: ConnectorAttachment, message: Register): Promise<void> {
    if (attachment.state !== "registering") throw new ConnectionError("bad_message", "register twice");
    if (message.protocol !== PROTOCOL_VERSION) {
      throw new ConnectionError("unsupported_version", `This hub speaks version ${PROTOCOL_VERSION}.`);
    }
    if (message.client_id !== attachment.clientId) {
      throw new ConnectionError("bad_message", "register: client_id differs from the one in the URL");
    }
    const former = this.registered();
    Object.assign(attachment, { state: "registered", limits: message.limits });
    attach(socket, attachment);
    if (former) {
      attach(former.socket, { ...former.attachment, state: "former" });
      dismiss(former.socket, "replaced", "A newer connection of this instance has taken over.");
    }
    const { label, clientId, tokenId, connectedAt } = attachment;
    const { software, metadata, status, sessions } = message;
    socket.send(encodeControl(registered(label, instanceOrigin(label, this.#env))));
    const instance = { clientId, label, tokenId, software, metadata, status, sessions, connectedAt };
    await this.#userHub(attachment).instanceConnected(instance);
  }

  #userHub(attachment: ConnectorAttachment) {
    return this.#env.USER_HUB.getByName(attachment.owner);
  }

  #dropOldestRegistering(): void {
    const registering = this.all().filter(({ attachment }) => attachment.state === "registering");
    registering.sort((a, b) => a.attachment.connectedAt - b.attachment.connectedAt);
    for (const { socket } of registering.slice(0, Math.max(0, registering.length - MAX_REGISTERING + 1))) {
      dismiss(socket, "rate_limited", "Too many connections of this instance are waiting to register.");
    }
  }

  #expectRegistered(socket: WebSocket): void {
    const attachment = attachmentOf(socket);
    if (attachment?.kind !== "connector" || attachment.state !== "registering") return;
    attach(socket, { ...attachment, state: "former" });
    dismiss(socket, "register_timeout", `No register within ${LIMITS.registerTimeoutSeconds} seconds.`);
  }
}

/** Tells a connector why and closes its socket. */
export function dismiss(socket: WebSocket, code: ConnectionErrorCode, message: string): void {
  try {
    socket.send(encodeControl({ type: "go_away", code, message }));
    socket.close(CONNECTION_ERRORS[code].close, truncateReason(message));
  } catch (error) {
    // A socket that is already closing cannot be told anything; that is what we wanted of it.
    if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
  }
}

function registered(label: string, url: string) {
  const limits = DEFAULT_PEER_LIMITS;
  return {
    type: "registered",
    success: true,
    protocol: PROTOCOL_VERSION,
    software: SOFTWARE,
    limits,
    instance: { label, url },
  } as const;
}
