/** One connection to the hub, from dialling to its end: registration, heartbeats, control messages and frames. */
import type { Socket } from "node:net";
import { WebSocket } from "ws";
import {
  Connection,
  CONNECTION_ERRORS,
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
  type Frame,
  type GoAway,
  type LogLine,
  type Register,
  type Registered,
  type RequestHead,
  type StatusUpdate,
  type Stream,
} from "@ai-orchestrator/protocol";
import { sendFrames } from "./frame-sender.ts";
import { Heartbeat } from "./heartbeat.ts";
import { lookupHub } from "./hub-lookup.ts";
import { ownAgent } from "./own-connection.ts";
import {
  endOf,
  endOfClose,
  endOfError,
  endOfSilence,
  type ProtocolEnd,
  readRefusal,
  type SocketEnd,
} from "./socket-end.ts";
import { ZERO_MASK } from "./zero-mask.ts";

export interface HubSocketOptions {
  url: string;
  token: string;
  clientId: string;
  /** True where a hub of another user of this machine is one, too. */
  allowOtherUser: boolean;
  /** False where the connection shall not keep this process running. */
  holdsProcess: boolean;
  heartbeatIntervalMs: number;
  /** How long the hub may take to accept the connection. */
  dialTimeoutMs: number;
  /** Asked once the socket is open. */
  register(): Register;
  request(stream: Stream, head: RequestHead, ended: boolean): void;
  registered(message: Registered): void;
  /** `done` is to be called once it has been done. */
  command(command: Command["command"], done: () => void): void;
  /** Asked where the hub wants to see the recent log; undefined where it asks too often. */
  log(): LogLine[] | undefined;
  /** The hub has answered every heartbeat. */
  proved(): void;
  /** Called once, last. */
  ended(end: SocketEnd): void;
}

const LEAVE_TIMEOUT_MS = 500;
/** `closeTimeout`: how long the other end may take to end the connection of a closed WebSocket. Not in ws's types. */
const ENDS = { closeTimeout: 2_000 };
/** How long the hub may take to prove a connection that is in doubt. */
const PROOF_TIMEOUT_MS = 1_000;
/**
 * Bodies are handed to the socket while less than this waits there. With what the system keeps itself (megabytes on Linux) that
 * fills 100 Mbit/s over 100 ms; over 10 Mbit/s it delays what people type by 100 ms.
 */
const ROOM_BYTES = 128 * 1024;
const STOPPED: SocketEnd = { then: "stay_away", code: "disconnected", message: "stopped" };

export class HubSocket {
  /** Resolves once nothing of the socket is left. */
  readonly closed: Promise<void>;
  readonly #options: HubSocketOptions;
  readonly #socket: WebSocket;
  readonly #dialledAt = performance.now();
  /** What the WebSocket is spoken over. */
  #wire: Socket | undefined;
  #roomBytes = ROOM_BYTES;
  #connection: Connection | undefined;
  #heartbeat: Heartbeat | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #goAway: SocketEnd | undefined;
  #registeredAt = 0;
  #over = false;

  constructor(options: HubSocketOptions) {
    this.#options = options;
    this.#socket = new WebSocket(connectUrl(options.url, options.clientId), SUBPROTOCOL, {
      headers: { authorization: `Bearer ${options.token}` },
      perMessageDeflate: false,
      maxPayload: LIMITS.messageBytes,
      ...ZERO_MASK,
      ...ENDS,
      finishRequest: (request) => {
        if (!options.holdsProcess) request.on("socket", (socket) => socket.unref());
        request.end();
      },
      lookup: lookupHub,
      ...(mustBeOwn(options) ? { agent: ownAgent } : {}),
    });
    this.closed = new Promise((resolve) => this.#socket.once("close", () => resolve()));
    const { dialTimeoutMs } = options;
    // Also where an answer trickles, or a name is not found out: of ws's own timeout every byte is a new beginning.
    this.#failAfter(dialTimeoutMs, `it did not answer in ${dialTimeoutMs / 1000} s`);
    this.#listen();
  }

  /** Sends a status if the instance is registered. */
  sendStatus(status: Omit<StatusUpdate, "type">): void {
    if (!this.#connection) return;
    this.#socket.send(encodeControl({ type: "status_update", ...status }));
  }

  /**
   * This process did not run for a while, or the network is another: the connection must prove itself at once, or end. One that is being
   * made ends, unless it is younger than `youngMs`.
   */
  doubt(youngMs = 0): void {
    if (this.#heartbeat) this.#heartbeat.ask(PROOF_TIMEOUT_MS);
    else if (performance.now() - this.#dialledAt >= youngMs)
      this.#fail(endOfSilence("the connection was not made in time"));
  }

  /** Leaves: the hub sees a clean end. `end` is what is told to this end's owner. */
  leave(end: SocketEnd = STOPPED): void {
    this.#connection?.lost("the connector was stopped");
    this.#end(end);
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    // A hub that does not answer the close keeps nobody waiting.
    const timer = setTimeout(() => this.#socket.terminate(), LEAVE_TIMEOUT_MS).unref();
    this.#socket.once("close", () => clearTimeout(timer));
    this.#socket.close(1000, "stopped");
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("upgrade", ({ socket: wire }) => {
      this.#wire = wire;
      // A socket with less than its mark says nothing when that is gone; of what has no room, up to a message is not there yet.
      this.#roomBytes = Math.max(ROOM_BYTES, wire.writableHighWaterMark + LIMITS.framePayloadBytes);
      wire.on("drain", () => this.#connection?.drained());
    });
    socket.on("open", () => {
      this.#attempt(() => {
        this.#registeredAt = performance.now();
        socket.send(encodeControl(this.#options.register()));
        this.#failAfter(LIMITS.registerTimeoutSeconds * 1000, "the hub did not answer the registration");
      });
    });
    socket.on("unexpected-response", (_request, answer) => {
      clearTimeout(this.#deadline);
      readRefusal(answer, (end) => {
        this.#end(end);
        socket.terminate();
      });
    });
    socket.on("message", (data: Buffer, isBinary) => this.#message(data, isBinary));
    socket.on("error", (error) => this.#end(endOfError(error, this.#connection !== undefined)));
    socket.on("close", (code, reason) =>
      this.#end(this.#goAway ?? endOfClose(code, reason.toString("utf8"))),
    );
  }

  #message(data: Buffer, isBinary: boolean): void {
    // What was on its way when this end closed.
    if (this.#over) return;
    this.#heartbeat?.heard();
    this.#attempt(() => {
      if (!isBinary) return this.#control(data.toString("utf8"));
      if (!this.#connection) throw new ConnectionError("bad_message", "a frame before registration");
      const failure = this.#connection.receive(data);
      if (failure) throw failure;
    });
  }

  /** What is thrown ends this connection, not the program. */
  #attempt(work: () => void): void {
    try {
      work();
    } catch (error) {
      const { code, message } =
        error instanceof ConnectionError ? error : new ConnectionError("internal_error", String(error));
      this.#fail(endOf(code, message));
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
        return this.#options.command(message.command, () => this.#commandDone(message));
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

  /** Only where the hub wants to hear of it, and over the connection it asked on. */
  #commandDone({ id }: Command): void {
    if (id === undefined || this.#over) return;
    this.#socket.send(encodeControl({ type: "command_done", id }));
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
      now: () => performance.now(),
      room: () => this.#roomBytes - this.#socket.bufferedAmount,
      sendFrames: (frames, bytes) => this.#sendFrames(frames, bytes),
      // Not a microtask: what other connections to the application have brought by now leaves in the same message.
      schedule: (flush) => setImmediate(flush),
      request: (stream, head, ended) => this.#options.request(stream, head, ended),
    });
    this.#connection.path.measure(this.#registeredAt);
    this.#heartbeat = new Heartbeat({
      intervalMs: this.#options.heartbeatIntervalMs,
      answerMs: LIMITS.heartbeatTimeoutSeconds * 1000,
      send: () => this.#socket.send(HEARTBEAT_PING),
      proved: () => this.#options.proved(),
      failed: () => this.#fail(endOfSilence("the hub did not answer a heartbeat")),
    });
    this.#options.registered(message);
  }

  #sendFrames(frames: readonly Frame[], bytes: number): void {
    if (this.#wire && this.#socket.readyState === WebSocket.OPEN) sendFrames(this.#wire, frames, bytes);
  }

  #failAfter(ms: number, message: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#fail(endOfSilence(message)), ms).unref();
  }

  /** Ends the connection for a fault of the hub's; the socket may be dead, so nothing is waited for. */
  #fail(end: ProtocolEnd): void {
    this.#socket.close(CONNECTION_ERRORS[end.code].close, truncateReason(end.message));
    this.#end(end);
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
