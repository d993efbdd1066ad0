/** One connection to the hub's `/ws/pending`: an instance without a token says who it is, and waits. */
import {
  ConnectionError,
  encodePairing,
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  LIMITS,
  PAIRING,
  parsePairingMessage,
  SUBPROTOCOL,
  type PairingHubMessage,
  type PendingRegister,
  type PendingRegistered,
  type TokenGranted,
} from "@ai-orchestrator/protocol";
import { WebSocket } from "ws";
import { Heartbeat } from "./heartbeat.ts";
import { lookupHub } from "./hub-lookup.ts";
import { ownAgent } from "./own-connection.ts";
import { endOfClose, endOfError, readRefusal } from "./socket-end.ts";

/**
 * How one connection ended. `lost`: another is worth trying. `over`: the hub knows the secret and wants no more of it. `refused`: the
 * hub does not pair, or not with this program.
 */
export type PairingSocketEnd =
  | { kind: "granted"; grant: TokenGranted }
  | { kind: "denied" | "expired" | "over" | "refused"; message: string }
  | { kind: "lost"; message: string; retryAfterMs?: number };

export interface PairingSocketOptions {
  url: string;
  secret: string;
  register: PendingRegister;
  allowOtherUser: boolean;
  registered(message: PendingRegistered): void;
  /** Keeps the token; the hub is told once it resolves. */
  keep(grant: TokenGranted): Promise<void>;
  /** Called once, last. */
  ended(end: PairingSocketEnd): void;
}

/** Answers that do not change by asking again. */
const FINAL_STATUSES = new Set([400, 401, 403, 404, 405, 426]);
/** A pairing that is over. */
const OVER_STATUS = 410;
const LEAVE_TIMEOUT_MS = 500;

export class PairingSocket {
  readonly #options: PairingSocketOptions;
  readonly #socket: WebSocket;
  #heartbeat: Heartbeat | undefined;
  #deadline: NodeJS.Timeout | undefined;
  #isOver = false;

  constructor(options: PairingSocketOptions) {
    this.#options = options;
    this.#socket = new WebSocket(pendingUrl(options.url), SUBPROTOCOL, {
      headers: { authorization: `Pairing ${options.secret}` },
      perMessageDeflate: false,
      maxPayload: PAIRING.messageLength,
      lookup: lookupHub,
      // As with tokens: on this machine whoever comes first can listen while the hub does not run.
      ...(options.allowOtherUser || new URL(options.url).protocol !== "http:" ? {} : { agent: ownAgent }),
    });
    this.#failAfter("it did not answer in time");
    this.#listen();
  }

  /** Leaves; nothing is called any more. */
  leave(): void {
    this.#isOver = true;
    this.#close();
  }

  #listen(): void {
    const socket = this.#socket;
    socket.on("open", () => {
      this.#failAfter("the hub did not answer in time");
      socket.send(encodePairing(this.#options.register));
    });
    socket.on("unexpected-response", (_request, answer) => {
      const { statusCode = 0 } = answer;
      readRefusal(answer, ({ message, retryAfterMs }) => {
        const wish = retryAfterMs === undefined ? {} : { retryAfterMs };
        if (statusCode === OVER_STATUS) this.#end({ kind: "over", message });
        else if (FINAL_STATUSES.has(statusCode)) this.#end({ kind: "refused", message });
        else this.#end({ kind: "lost", message, ...wish });
        socket.terminate();
      });
    });
    socket.on("message", (data: Buffer, isBinary) => this.#message(data.toString("utf8"), isBinary));
    socket.on("error", (error) => this.#lost(endOfError(error, this.#heartbeat !== undefined).message));
    socket.on("close", (code, reason) => this.#lost(endOfClose(code, reason.toString("utf8")).message));
  }

  #message(text: string, isBinary: boolean): void {
    if (this.#isOver) return;
    this.#heartbeat?.heard();
    if (text === HEARTBEAT_PONG) return this.#heartbeat?.answered();
    try {
      if (!isBinary) this.#control(parsePairingMessage(text));
    } catch (error) {
      if (!(error instanceof ConnectionError)) throw error;
      this.#lost(`the hub sent what is no message of pairing: ${error.message}`);
    }
  }

  #control(message: PairingHubMessage | null): void {
    switch (message?.type) {
      case "pending_registered":
        return this.#registered(message);
      case "token_granted":
        return this.#granted(message);
      case "authorization_denied":
        return this.#end({ kind: "denied", message: message.reason });
      case "authorization_timeout":
        return this.#end({ kind: "expired", message: message.message });
      case undefined:
    }
  }

  #registered(message: PendingRegistered): void {
    clearTimeout(this.#deadline);
    this.#heartbeat ??= new Heartbeat({
      intervalMs: LIMITS.heartbeatIntervalSeconds * 1000,
      answerMs: LIMITS.heartbeatTimeoutSeconds * 1000,
      send: () => this.#socket.send(HEARTBEAT_PING),
      proved: () => undefined,
      failed: () => this.#lost("the hub did not answer a heartbeat"),
    });
    this.#options.registered(message);
  }

  #granted(grant: TokenGranted): void {
    this.#options
      .keep(grant)
      .then(() => {
        this.#socket.send(encodePairing({ type: "token_received" }), () => undefined);
        this.#end({ kind: "granted", grant });
      })
      .catch((error: unknown) => this.#lost(`the token was not kept: ${String(error)}`));
  }

  #failAfter(message: string): void {
    clearTimeout(this.#deadline);
    this.#deadline = setTimeout(() => this.#lost(message), LIMITS.registerTimeoutSeconds * 1000);
  }

  #lost(message: string): void {
    this.#end({ kind: "lost", message });
  }

  #end(end: PairingSocketEnd): void {
    const wasOver = this.#isOver;
    this.#isOver = true;
    this.#close();
    if (!wasOver) this.#options.ended(end);
  }

  #close(): void {
    clearTimeout(this.#deadline);
    this.#heartbeat?.stop();
    if (this.#socket.readyState === WebSocket.CLOSED) return;
    const timer = setTimeout(() => this.#socket.terminate(), LEAVE_TIMEOUT_MS).unref();
    this.#socket.once("close", () => clearTimeout(timer));
    this.#socket.close(1000);
  }
}

function pendingUrl(hub: string): URL {
  const address = new URL("/ws/pending", hub);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return address;
}
