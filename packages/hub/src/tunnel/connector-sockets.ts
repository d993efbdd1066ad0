/** The connectors' sockets of one Tunnel: accepting, registering, status, replacing, and telling the owner's UserHub. */
import {
  COMMANDS_CAPABILITY,
  CONNECTION_ERRORS,
  ConnectionError,
  DEFAULT_PEER_LIMITS,
  encodeControl,
  LIMITS,
  LOG_CAPABILITY,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
  version1,
  type ConnectionErrorCode,
  type Register,
  type StatusUpdate,
} from "@ai-orchestrator/protocol";
import type { GoneReason } from "../contracts.ts";
import type { Env } from "../env.ts";
import { closeQuietly } from "./close-socket.ts";
import { copyGeneration } from "./copy-rules.ts";
import { DeclaredAccess } from "./declared-access.ts";
import { countDial, tooManyDials } from "./dial-limit.ts";
import { log } from "../log.ts";
import { isKeptAway, refuseKeptAway } from "./kept-away.ts";
import { instanceUrl } from "../origins.ts";
import { usage } from "../usage/usage.ts";
import { HUB_SOFTWARE } from "../version.ts";
import {
  attach,
  attachmentOf,
  SocketTag,
  type ConnectorAttachment,
  type ConnectorIdentity,
} from "./attachments.ts";
import { farewell } from "./version-1/farewell.ts";
import { expectHeartbeat } from "./version-1/heartbeat.ts";
import { CONTESTED, isContested } from "./version-1/takeovers.ts";

const VERSION_ONE_REGISTERED = version1.encodeMessage({ type: "registered", success: true });

/** Connectors of one instance that have not registered yet; more than this and the oldest is dropped. */
const MAX_REGISTERING = 4;

export interface ConnectorSocket {
  socket: WebSocket;
  attachment: ConnectorAttachment;
}

export class ConnectorSockets {
  /** Who may use the instance; it comes with each registration. */
  readonly access: DeclaredAccess;
  readonly #state: DurableObjectState;
  readonly #env: Env;
  #owner: string | undefined;
  #userHubStub: ReturnType<Env["USER_HUB"]["getByName"]> | undefined;
  /** Deadlines of registrations, by connection id. A pending one keeps the object in memory, so none is left behind. */
  readonly #deadlines = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(state: DurableObjectState, env: Env) {
    this.access = new DeclaredAccess(state.storage);
    this.#state = state;
    this.#env = env;
  }

  /** The user this instance belongs to; undefined before the first connection. */
  owner(): string | undefined {
    this.#owner ??= this.#state.storage.kv.get<string>("owner");
    return this.#owner;
  }

  /** The instance's own name for itself; undefined before the first connection. */
  clientId(): string | undefined {
    return this.#state.storage.kv.get<string>("clientId");
  }

  all(): ConnectorSocket[] {
    return this.#state.getWebSockets(SocketTag.connector).flatMap((socket) => {
      const attachment = attachmentOf(socket);
      return attachment?.kind === "connector" ? [{ socket, attachment }] : [];
    });
  }

  /** Those that were not told to leave, the ones that have not registered yet included. */
  live(): ConnectorSocket[] {
    return this.all().filter(
      ({ socket, attachment }) => attachment.state !== "former" && socket.readyState === WebSocket.OPEN,
    );
  }

  /** Of these, those that dialled with this token. */
  withToken(tokenId: string): ConnectorSocket[] {
    return this.live().filter(({ attachment }) => attachment.tokenId === tokenId);
  }

  /** Of these, those whose token has expired. */
  expired(now: number): ConnectorSocket[] {
    return this.live().filter(({ attachment: { expiresAt } }) => expiresAt !== null && expiresAt <= now);
  }

  /** When the first of their tokens expires, milliseconds since the epoch; null where none does. */
  expireAt(): number | null {
    const times = this.live().flatMap(({ attachment }) => attachment.expiresAt ?? []);
    return times.length === 0 ? null : Math.min(...times);
  }

  /** The socket that speaks for the instance. One that is closing may still be listed, with an attachment of before. */
  registered(): ConnectorSocket | undefined {
    return this.all().find(
      ({ socket, attachment }) => attachment.state === "registered" && socket.readyState === WebSocket.OPEN,
    );
  }

  /** When the connector last proved that it lives, in milliseconds since the epoch. */
  provenAt(socket: WebSocket, attachment: ConnectorAttachment): number {
    const answeredAt = this.#state.getWebSocketAutoResponseTimestamp(socket)?.getTime() ?? 0;
    return Math.max(answeredAt, attachment.heardAt ?? 0) || attachment.connectedAt;
  }

  /**
   * Accepts a connector that the Worker has authenticated, unless its owner has sent it away or it dials too often; it must
   * register in time.
   */
  accept(identity: ConnectorIdentity): Response {
    const owner = this.owner();
    if (owner !== undefined && owner !== identity.owner) return new Response(null, { status: 404 });
    if (owner === undefined) {
      this.#state.storage.kv.put("owner", identity.owner);
      this.#state.storage.kv.put("clientId", identity.clientId);
    }
    if (isKeptAway(this.#state.storage)) return refuseKeptAway();
    const counted = countDial(this.#state.storage, Date.now());
    if (!counted.allowed) {
      log("rate_limited", { kind: "dial", label: identity.label });
      return tooManyDials(counted.retryAfterSeconds);
    }
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
    const expire = () => this.#expireRegistration(socket);
    this.#deadlines.set(connectionId, setTimeout(expire, LIMITS.registerTimeoutSeconds * 1000));
    const headers = new Headers(identity.protocol === 2 ? { "sec-websocket-protocol": SUBPROTOCOL } : {});
    return new Response(null, { status: 101, webSocket: connectorEnd, headers });
  }

  /** Tells the owner's UserHub of a status. Throws `ConnectionError` before registration. */
  async status(attachment: ConnectorAttachment, { status, sessions }: StatusUpdate): Promise<void> {
    if (attachment.state !== "registered")
      throw new ConnectionError("bad_message", "status_update before register");
    const report = { status, sessions, at: Date.now() };
    usage.learn(await this.#userHub(attachment).instanceStatus(attachment.clientId, report), Date.now());
  }

  /** Nothing more is expected of this socket in time. */
  forgetDeadline({ connectionId }: ConnectorAttachment): void {
    const deadline = this.#deadlines.get(connectionId);
    if (deadline !== undefined) clearTimeout(deadline);
    this.#deadlines.delete(connectionId);
  }

  /** Marks a socket as no longer the instance's and tells the UserHub. */
  async gone({ socket, attachment }: ConnectorSocket, reason: GoneReason, at: number): Promise<void> {
    attach(socket, { ...attachment, state: "former" });
    const { clientId, connectedAt } = attachment;
    await this.#userHub(attachment).instanceGone(clientId, connectedAt, reason, at);
  }

  /** Makes this socket the one that speaks for the instance; the one before is told. Throws `ConnectionError`. */
  register(socket: WebSocket, attachment: ConnectorAttachment, message: Register): void {
    checkRegister(attachment, message);
    this.forgetDeadline(attachment);
    this.access.declare(message.access);
    const former = this.registered();
    // The order of registrations is what counts for everyone who hears of them, not the order of dialling.
    Object.assign(attachment, {
      state: "registered",
      limits: message.limits,
      tellsLog: message.capabilities.includes(LOG_CAPABILITY),
      acknowledges: message.capabilities.includes(COMMANDS_CAPABILITY),
      connectedAt: Date.now(),
      ...(attachment.protocol === 2 && { generation: copyGeneration(attachment.tokenId, message) }),
    });
    const contested = former && isContested(attachment, former.attachment, Date.now());
    attach(socket, attachment);
    expectHeartbeat(this.#state, attachment);
    if (contested) dismiss(former.socket, "unauthorized", CONTESTED);
    else if (former)
      dismiss(former.socket, "replaced", "A newer connection of this instance has taken over.");
  }

  /** Tells the connector where people open it, and the owner's UserHub that it is there. */
  async announce(socket: WebSocket, attachment: ConnectorAttachment, message: Register): Promise<void> {
    const { label, clientId, tokenId, connectedAt } = attachment;
    const { software, metadata, status, sessions, absence, access } = message;
    const said = { software, metadata, status, sessions, absence, access, protocol: attachment.protocol };
    socket.send(attachment.protocol === 1 ? VERSION_ONE_REGISTERED : this.#registered(label));
    await this.#userHub(attachment).instanceConnected({ clientId, label, tokenId, connectedAt, ...said });
  }

  #registered(label: string): string {
    return encodeControl(registered(label, instanceUrl({ label, protocol: 2 }, this.#env)));
  }

  /** Always the same stub: only calls on one stub arrive in the order in which they were made. */
  #userHub({ owner }: ConnectorAttachment) {
    this.#userHubStub ??= this.#env.USER_HUB.getByName(owner);
    return this.#userHubStub;
  }

  #dropOldestRegistering(): void {
    const registering = this.all().filter(({ attachment }) => attachment.state === "registering");
    registering.sort((a, b) => a.attachment.connectedAt - b.attachment.connectedAt);
    for (const { socket } of registering.slice(0, Math.max(0, registering.length - MAX_REGISTERING + 1))) {
      dismiss(socket, "rate_limited", "Too many connections of this instance are waiting to register.");
    }
  }

  #expireRegistration(socket: WebSocket): void {
    const attachment = attachmentOf(socket);
    if (attachment?.kind !== "connector" || attachment.state !== "registering") return;
    dismiss(socket, "register_timeout", `No register within ${LIMITS.registerTimeoutSeconds} seconds.`);
  }
}

function checkRegister(attachment: ConnectorAttachment, message: Register): void {
  if (attachment.state !== "registering") throw new ConnectionError("bad_message", "register twice");
  if (message.protocol !== attachment.protocol) {
    throw new ConnectionError("unsupported_version", `This hub speaks version ${PROTOCOL_VERSION}.`);
  }
  if (message.client_id === attachment.clientId) return;
  throw new ConnectionError("bad_message", "register: client_id differs from the one in the URL");
}

/** Tells a connector why, closes its socket, and hears nothing of it any more. */
export function dismiss(socket: WebSocket, code: ConnectionErrorCode, message: string): void {
  // A socket that is closing already cannot be told anything; that is what we wanted of it.
  const attachment = attachmentOf(socket);
  if (attachment?.kind === "connector") attach(socket, { ...attachment, state: "former" });
  const isVersionOne = attachment?.kind === "connector" && attachment.protocol === 1;
  const last = isVersionOne ? farewell(code, message) : encodeControl({ type: "go_away", code, message });
  if (socket.readyState === WebSocket.OPEN) socket.send(last);
  closeQuietly(socket, CONNECTION_ERRORS[code].close, message);
}

function registered(label: string, url: string) {
  const limits = DEFAULT_PEER_LIMITS;
  return {
    type: "registered",
    success: true,
    protocol: PROTOCOL_VERSION,
    software: HUB_SOFTWARE,
    limits,
    instance: { label, url },
  } as const;
}
