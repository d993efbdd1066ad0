/**
 * A version 1 client's socket while nobody knows whose it is: held by the Worker until `register` has come, for as long as
 * registering may take, and then passed on, message by message, to the Tunnel it belongs to. How many there are at once is bounded
 * by how many may begin in as long.
 */
import {
  CONNECTION_ERRORS,
  ConnectionError,
  LIMITS,
  version1,
  type ConnectionErrorCode,
} from "@ai-orchestrator/protocol";
import { errorName, log } from "../../log.ts";
import { closeQuietly } from "../close-socket.ts";

/** What a client may say before it is let in: `register` and what comes right behind it. */
const MAX_EARLY_MESSAGES = 32;
const MAX_EARLY_LENGTH = 64 * 1024;

/** What becomes of it: the Tunnel's socket for it, the word that has it give up, or an end after which it dials again. */
export type Verdict =
  | { tunnel: WebSocket }
  | { giveUp: string }
  | { later: ConnectionErrorCode; message: string };

export class WaitingDial {
  readonly response: Response;
  readonly #socket: WebSocket;
  readonly #judge: (register: version1.Register) => Promise<Verdict>;
  readonly #timer: ReturnType<typeof setTimeout>;
  /** Came while it was being judged. */
  readonly #early: string[] = [];
  #earlyLength = 0;
  #earlyCount = 0;
  #isJudged = false;
  #tunnel: WebSocket | undefined;

  constructor(judge: (register: version1.Register) => Promise<Verdict>) {
    const { 0: clientEnd, 1: socket } = new WebSocketPair();
    this.#judge = judge;
    this.#socket = socket;
    socket.accept();
    socket.addEventListener("message", ({ data }: MessageEvent) =>
      this.#receive(data as string | ArrayBuffer),
    );
    socket.addEventListener("close", ({ code, reason }) => this.#left(code, reason));
    socket.addEventListener("error", () => this.#left(1006, ""));
    const late = `No register within ${LIMITS.registerTimeoutSeconds} seconds.`;
    this.#timer = setTimeout(() => this.#end("register_timeout", late), LIMITS.registerTimeoutSeconds * 1000);
    this.response = new Response(null, { status: 101, webSocket: clientEnd });
  }

  #receive(data: string | ArrayBuffer): void {
    if (this.#tunnel) return this.#tunnel.send(data);
    if (this.#socket.readyState !== WebSocket.OPEN) return;
    try {
      this.#takeEarly(data);
    } catch (error) {
      const { code, message } =
        error instanceof ConnectionError ? error : new ConnectionError("internal_error", errorName(error));
      this.#end(code, message);
    }
  }

  #takeEarly(data: string | ArrayBuffer): void {
    if (typeof data !== "string") throw new ConnectionError("bad_message", "a binary message");
    this.#earlyLength += data.length;
    if (this.#earlyLength > MAX_EARLY_LENGTH || ++this.#earlyCount > MAX_EARLY_MESSAGES)
      throw new ConnectionError("message_too_big", "too much was said before register was answered");
    if (this.#isJudged) {
      this.#early.push(data);
      return;
    }
    const message = version1.parseMessage(data);
    if (message?.type === "malformed" && message.of === "register") return this.#giveUp(message.problem);
    if (message?.type !== "register") return;
    this.#isJudged = true;
    clearTimeout(this.#timer);
    this.#judge(message).then(
      (verdict) => this.#judged(verdict, message),
      (error: unknown) => {
        log("unhandled", { error: errorName(error) });
        this.#end("internal_error", "The hub could not look at this registration.");
      },
    );
  }

  #judged(verdict: Verdict, register: version1.Register): void {
    if ("giveUp" in verdict) return this.#giveUp(verdict.giveUp);
    if ("later" in verdict) return this.#end(verdict.later, verdict.message);
    const { tunnel } = verdict;
    tunnel.accept();
    // It left meanwhile.
    if (this.#socket.readyState !== WebSocket.OPEN) return closeQuietly(tunnel, 1001, "");
    tunnel.addEventListener("message", ({ data }: MessageEvent) =>
      this.#toClient(data as string | ArrayBuffer),
    );
    tunnel.addEventListener("close", ({ code, reason }) => closeQuietly(this.#socket, code, reason));
    tunnel.addEventListener("error", () => closeQuietly(this.#socket, 1011, ""));
    this.#tunnel = tunnel;
    const { type, client_id, metadata } = register;
    // The token has done its work.
    tunnel.send(JSON.stringify({ type, client_id, metadata }));
    for (const message of this.#early.splice(0)) tunnel.send(message);
  }

  #toClient(data: string | ArrayBuffer): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(data);
  }

  #left(code: number, reason: string): void {
    clearTimeout(this.#timer);
    closeQuietly(this.#socket, code, reason);
    if (this.#tunnel) closeQuietly(this.#tunnel, code, reason);
  }

  #giveUp(message: string): void {
    this.#say({ type: "registered", success: false, message });
    this.#close("unauthorized", message);
  }

  #end(code: ConnectionErrorCode, message: string): void {
    this.#say({ type: "error", message });
    this.#close(code, message);
  }

  #say(message: version1.HubMessage): void {
    if (this.#socket.readyState === WebSocket.OPEN) this.#socket.send(version1.encodeMessage(message));
  }

  #close(code: ConnectionErrorCode, message: string): void {
    clearTimeout(this.#timer);
    closeQuietly(this.#socket, CONNECTION_ERRORS[code].close, message);
  }
}
