/** One connection to the hub, from dialling to its end: registration, heartbeats, control messages and frames. */
import type * as http from "node:http";
import { WebSocket } from "ws";
import {
  Connection,
  CONNECTION_ERRORS,
  ConnectionError,
  connectionErrorName,
  DEFAULT_PEER_LIMITS,
  encodeControl,
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  LIMITS,
  parseHubMessage,
  SUBPROTOCOL,
  truncateReason,
  type Command,
  type ConnectionErrorCode,
  type Register,
  type Registered,
  type RequestHead,
  type StatusUpdate,
  type Stream,
} from "@ai-orchestrator/protocol";
import { resolveLoopback } from "./loopback.ts";
import { OtherUserError, ownAgent } from "./own-connection.ts";
import { retryAfterMs } from "./retry-after.ts";

/** Why a connection ended. `retryAfterMs` is the hub's wish; `not_admitted`: it does not let the token's owner in now. */
export type SocketEnd =
  | { stayAway: true; code: ConnectionErrorCode; message: string }
  | {
      stayAway: false;
      code: ConnectionErrorCode | "connection_lost" | "unreachable" | "not_admitted";
      message: string;
      retryAfterMs?: number;
    };

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
  /** Called once, last. */
  ended(end: SocketEnd): void;
}

const LEAVE_TIMEOUT_MS = 500;
/** A refusal is a status and a sentence; it is read no further than this, and no longer. */
const REFUSAL_BYTES = 16 * 1024;
const REFUSAL_TIMEOUT_MS = 5_000;

export class HubSocket {
  readonly #options: HubSocketOptions;
  readonly #socket: WebSocket;
  #connection: Connection | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
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

  /** Leaves: the hub sees a clean end. */
  leave(): void {
    this.#connection?.lost("the connector was stopped");
    this.#end({ code: "disconnected", message: "stopped", stayAway: true });
    this.#socket.close(1000, "stopped");
    // A hub that does not answer the close keeps nobody waiting.
    setTimeout(() => this.#socket.terminate(), LEAVE_TIMEOUT_MS).unref();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("open", () => {
      socket.send(encodeControl(this.#options.register()));
      this.#expect(LIMITS.registerTimeoutSeconds, "the hub did not answer the registration");
    });
    socket.on("unexpected-response", (_request, answer) => this.#refused(answer));
    socket.on("message", (data: Buffer, isBinary) => this.#message(data, isBinary));
    socket.on("error", (error) =>
      this.#end({ code: "unreachable", message: describe(error), stayAway: false }),
    );
    socket.on("close", (code, reason) => this.#closed(code, reason.toString("utf8")));
  }

  #message(data: Buffer, isBinary: boolean): void {
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
      clearTimeout(this.#deadline);
      return;
    }
    const message = parseHubMessage(text);
    switch (message?.type) {
      case "registered":
        return this.#registered(message);
      case "command":
        return this.#options.command(message.command);
      case "go_away":
        this.#goAway = endOf(message.code, message.message);
        return;
      case "log_request":
      case undefined:
    }
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
    this.#heartbeat = setInterval(() => this.#beat(), this.#options.heartbeatIntervalMs);
    this.#options.registered(message);
  }

  #beat(): void {
    this.#socket.send(HEARTBEAT_PING);
    this.#expect(LIMITS.heartbeatTimeoutSeconds, "the hub did not answer a heartbeat");
  }

  #expect(seconds: number, message: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(
      () => this.#fail(new ConnectionError("heartbeat_timeout", message)),
      seconds * 1000,
    );
  }

  /** Ends the connection for a fault of the hub's; the socket may be dead, so nothing is waited for. */
  #fail(error: ConnectionError): void {
    this.#socket.close(error.closeCode, truncateReason(error.message));
    this.#end(endOf(error.code, error.message));
    this.#socket.terminate();
  }

  #refused(answer: http.IncomingMessage): void {
    const chunks: Buffer[] = [];
    let bytes = 0;
    const timer = setTimeout(() => answer.destroy(), REFUSAL_TIMEOUT_MS);
    answer.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes >= REFUSAL_BYTES) answer.destroy();
    });
    // What was cut off is an error of the stream's; the status counts all the same.
    answer.on("error", () => answer.destroy());
    answer.on("close", () => {
      clearTimeout(timer);
      const body = Buffer.concat(chunks).subarray(0, REFUSAL_BYTES).toString("utf8");
      this.#end(refusalOf(answer, body));
      this.#socket.terminate();
    });
  }

  #closed(code: number, reason: string): void {
    const name = connectionErrorName(code);
    const lost = { code: "connection_lost", message: closeText(code, reason), stayAway: false } as const;
    this.#end(this.#goAway ?? (name ? endOf(name, reason || name) : lost));
  }

  #end(end: SocketEnd): void {
    if (this.#over) return;
    this.#over = true;
    clearInterval(this.#heartbeat);
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

function endOf(code: ConnectionErrorCode, message: string): SocketEnd {
  const stayAway = CONNECTION_ERRORS[code].then === "stay_away";
  return { code, message, stayAway };
}

const REFUSAL_CODES = new Map<number | undefined, SocketEnd["code"]>([
  [403, "not_admitted"],
  [429, "rate_limited"],
]);

/** A refused upgrade: only a bad token is for good. */
function refusalOf(answer: http.IncomingMessage, body: string): SocketEnd {
  const message = refusalMessage(body) ?? `the hub answered ${answer.statusCode ?? "nothing"}`;
  if (answer.statusCode === 401) return { code: "unauthorized", message, stayAway: true };
  const wished = retryAfterMs(answer.headers["retry-after"], Date.now());
  return {
    code: REFUSAL_CODES.get(answer.statusCode) ?? "unreachable",
    message,
    stayAway: false,
    ...(wished === undefined ? {} : { retryAfterMs: wished }),
  };
}

function refusalMessage(body: string): string | undefined {
  try {
    const value: unknown = JSON.parse(body);
    const found = (value as { error?: { message?: unknown } } | null)?.error?.message;
    return typeof found === "string" ? found.slice(0, 300) : undefined;
  } catch {
    // Whatever answers there is not a hub; its status says enough.
    return undefined;
  }
}

function closeText(code: number, reason: string): string {
  if (reason !== "") return reason;
  return code === 1006 ? "the connection broke" : `closed with ${code}`;
}

function describe(error: Error & { code?: string }): string {
  if (error.code === "ECONNREFUSED") return "nothing answers there";
  if (error instanceof OtherUserError)
    return `${error.message}, so the token is not sent there; ORCHESTRATOR_ALLOW_OTHER_USER=1 allows it`;
  if (error.code === "ENOTFOUND") return "there is no such host";
  return error.message;
}
