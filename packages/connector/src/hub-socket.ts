/** One connection to the hub, from dialling to its end: registration, heartbeats, control messages and frames. */
import { WebSocket } from "ws";
import {
  Connection,
  ConnectionError,
  DEFAULT_PEER_LIMITS,
  encodeControl,
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  LIMITS,
  parseHubMessage,
  SUBPROTOCOL,
  truncateReason,
  type Command,
  type GoAway,
  type LogLine,
  type Register,
  type Registered,
  type RequestHead,
  type StatusUpdate,
  type Stream,
} from "@ai-orchestrator/protocol";
import { Heartbeat } from "./heartbeat.ts";
import { resolveLoopback } from "./loopback.ts";
import { OtherUserError, ownAgent } from "./own-connection.ts";
import { endOf, endOfClose, readRefusal, type SocketEnd } from "./socket-end.ts";

export interface HubSocketOptions {
  url: string;
  token: string;
  clientId: string;
  /** True where a hub of another user of this machine is one, too. */
  allowOtherUser: boolean;
  heartbeatIntervalMs: number;
  /** Asked once the socket is open. */
  register(): Register;
  request(stream: Stream, head: RequestHead, ended: boolean): void;
  registered(message: Registered): void;
  command(command: Command["command"]): void;
  /** Asked where the hub wants to see the recent log; undefined where it asks too often. */
  log(): LogLine[] | undefined;
  /** The hub has answered every heartbeat. */
  proved(): void;
  /** Called once, last. */
  ended(end: SocketEnd): void;
}

const LEAVE_TIMEOUT_MS = 500;
/** How long the hub may take to prove a connection that is in doubt. */
const PROOF_TIMEOUT_MS = 1_500;
const STOPPED: SocketEnd = { then: "stay_away", code: "disconnected", message: "stopped" };

export class HubSocket {
  readonly #options: HubSocketOptions;
  readonly #socket: WebSocket;
  #connection: Connection | undefined;
  #heartbeat: Heartbeat | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #goAway: SocketEnd | undefined;
  #over = false;

  constructor(options: HubSocketOptions) {
    this.#options = options;
    this.#socket = new WebSocket(connectUrl(options.url, options.clientId), SUBPROTOCOL, {
      headers: { authorization: `Bearer ${options.token}` },
      perMessageDeflate: false,
      maxPayload: LIMITS.messageBytes,
      handshakeTimeout: LIMITS.registerTimeoutSeconds * 1000,
      lookup: resolveLoopback,
      ...(mustBeOwn(options) ? { agent: ownAgent } : {}),
    });
    this.#listen();
  }

  /** Sends a status if the instance is registered. */
  sendStatus(status: Omit<StatusUpdate, "type">): void {
    if (!this.#connection) return;
    this.#socket.send(encodeControl({ type: "status_update", ...status }));
  }

  /** This process did not run for a while: the connection must prove itself at once, or end. */
  doubt(): void {
    if (this.#heartbeat) this.#heartbeat.ask(PROOF_TIMEOUT_MS);
    else this.#fail(new ConnectionError("heartbeat_timeout", "the connection was not made in time"));
  }

  /** Leaves: the hub sees a clean end. `end` is what is told to this end's owner. */
  leave(end: SocketEnd = STOPPED): void {
    this.#connection?.lost("the connector was stopped");
    this.#end(end);
    this.#socket.close(1000, "stopped");
    // A hub that does not answer the close keeps nobody waiting.
    setTimeout(() => this.#socket.terminate(), LEAVE_TIMEOUT_MS).unref();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("open", () => {
      socket.send(encodeControl(this.#options.register()));
      const unanswered = "the hub did not answer the registration";
      this.#deadline = setTimeout(
        () => this.#fail(new ConnectionError("heartbeat_timeout", unanswered)),
        LIMITS.registerTimeoutSeconds * 1000,
      );
    });
    socket.on("unexpected-response", (_request, answer) =>
      readRefusal(answer, (end) => {
        this.#end(end);
        socket.terminate();
      }),
    );
    socket.on("message", (data: Buffer, isBinary) => this.#message(data, isBinary));
    socket.on("error", (error) =>
      this.#end({ code: "unreachable", message: describe(error), then: "retry" }),
    );
    socket.on("close", (code, reason) =>
      this.#end(this.#goAway ?? endOfClose(code, reason.toString("utf8"))),
    );
  }

  #message(data: Buffer, isBinary: boolean): void {
    // What was on its way when this end closed.
    if (this.#over) return;
    try {
      if (!isBinary) return this.#control(data.toString("utf8"));
      if (!this.#connection) throw new ConnectionError("bad_message", "a frame before registration");
      const failure = this.#connection.receive(data);
      if (failure) throw failure;
    } catch (error) {
      this.#fail(
        error instanceof ConnectionError ? error : new ConnectionError("internal_error", String(error)),
      );
    }
  }

  #control(text: string): void {
    if (text === HEARTBEAT_PONG) {
      this.#heartbeat?.answered();
      return;
    }
    const message = parseHubMessage(text);
    switch (message?.type) {
      case "registered":
        return this.#registered(message);
      case "command":
        return this.#options.command(message.command);
      case "log_request":
        return this.#sendLog(message.id);
      case "go_away":
        return this.#goneAway(message);
      case undefined:
    }
  }

  /** Who is only asked to come back later is closed by the hub, once it is done. */
  #goneAway({ code, message }: GoAway): void {
    this.#goAway = endOf(code, message);
    if (this.#goAway.then !== "retry") this.leave(this.#goAway);
  }

  /** Before registration nobody has a right to ask. */
  #sendLog(id: number): void {
    const lines = this.#connection && this.#options.log();
    if (lines) this.#socket.send(encodeControl({ type: "log", id, lines }));
  }

  #registered(message: Registered): void {
    if (this.#connection) throw new ConnectionError("bad_message", "registered twice");
    clearTimeout(this.#deadline);
    this.#connection = new Connection({
      role: "connector",
      text: "latin1",
      local: DEFAULT_PEER_LIMITS,
      remote: message.limits,
      send: (bytes) => this.#socket.send(bytes),
      request: (stream, head, ended) => this.#options.request(stream, head, ended),
    });
    const unanswered = "the hub did not answer a heartbeat";
    this.#heartbeat = new Heartbeat({
      intervalMs: this.#options.heartbeatIntervalMs,
      answerMs: LIMITS.heartbeatTimeoutSeconds * 1000,
      send: () => this.#socket.send(HEARTBEAT_PING),
      proved: () => this.#options.proved(),
      failed: () => this.#fail(new ConnectionError("heartbeat_timeout", unanswered)),
    });
    this.#options.registered(message);
  }

  /** Ends the connection for a fault of the hub's; the socket may be dead, so nothing is waited for. */
  #fail(error: ConnectionError): void {
    this.#socket.close(error.closeCode, truncateReason(error.message));
    this.#end(endOf(error.code, error.message));
    this.#socket.terminate();
  }

  #end(end: SocketEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#heartbeat?.stop();
    clearTimeout(this.#deadline);
    this.#connection?.lost();
    this.#options.ended(end);
  }
}

function connectUrl(hub: string, clientId: string): URL {
  const address = new URL("/ws/connect", hub);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  address.searchParams.set("client_id", clientId);
  return address;
}

/** https says whom it reaches. Plain http is for this machine, where whoever comes first can listen while the hub does not run. */
function mustBeOwn({ url, allowOtherUser }: HubSocketOptions): boolean {
  return !allowOtherUser && new URL(url).protocol === "http:";
}

function describe(error: Error & { code?: string }): string {
  if (error.code === "ECONNREFUSED") return "nothing answers there";
  if (error instanceof OtherUserError)
    return `${error.message}, so the token is not sent there; ORCHESTRATOR_ALLOW_OTHER_USER=1 allows it`;
  if (error.code === "ENOTFOUND") return "there is no such host";
  return error.message;
}
