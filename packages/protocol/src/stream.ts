/** One stream, either end: its state, its two windows, and which frames are legal now. SPEC.md sections 4 and 5. */
import { asStreamError, StreamError, type StreamErrorCode } from "./errors.ts";
import { decodeCredit, decodeReset, encodeCredit, encodeReset } from "./frame-payloads.ts";
import { FrameFlag, FrameType, type Frame } from "./frames.ts";
import {
  decodeResponseHead,
  encodeResponseHead,
  type RequestHead,
  type ResponseHead,
} from "./header-block.ts";
import { LIMITS } from "./limits.ts";
import { decodeCode, encodeCode } from "./reason.ts";
import type { StreamHandler } from "./stream-handler.ts";
import type { StreamLink, StreamOptions, StreamState } from "./stream-link.ts";
import { ReceiveWindow, SendWindow } from "./window.ts";

export class Stream {
  readonly id: number;
  readonly kind: RequestHead["kind"];
  handler: StreamHandler | undefined;
  readonly #link: StreamLink;
  readonly #send: SendWindow;
  readonly #receive: ReceiveWindow;
  #localEnded = false;
  #remoteEnded = false;
  /** Status of the answer once there is one. */
  #status: number | undefined;
  #over = false;
  /** What this stream has put on its connection's account. */
  #onAccount = 0;
  /** How far it has got, for its turn among those that write bodies. */
  turn = 0;

  constructor(link: StreamLink, options: StreamOptions, restored?: StreamState) {
    this.#link = link;
    this.id = options.id;
    this.kind = options.kind;
    this.#send = new SendWindow(restored?.sendCredit ?? options.sendCredit);
    this.#receive = new ReceiveWindow(link.path, options.receiveWindow, restored?.receive);
    if (!restored) return;
    this.#status = 101;
    this.#localEnded = restored.localEnded;
    this.#remoteEnded = restored.remoteEnded;
  }

  /** Bytes that may be written now. */
  get credit(): number {
    return this.#send.credit;
  }

  /** Bytes that arrived and were not consumed. */
  get held(): number {
    return this.#receive.held;
  }

  get isOver(): boolean {
    return this.#over;
  }

  get state(): StreamState {
    return {
      id: this.id,
      sendCredit: this.#send.credit,
      receive: this.#receive.state,
      localEnded: this.#localEnded,
      remoteEnded: this.#remoteEnded,
    };
  }

  /** Hub only, once: sends the encoded head; `end` if there is no body. */
  request(payload: Uint8Array, end: boolean): void {
    this.#frame(FrameType.REQUEST, end ? FrameFlag.END : 0, payload);
    if (end) this.#endLocal();
  }

  /** Connector only: answers. Throws `StreamError` if the head cannot be sent; the stream is then still open. */
  respond(head: ResponseHead, end = false): void {
    if (this.#over) return;
    const payload = encodeResponseHead(head, this.#link.text);
    this.#status = head.status;
    this.#frame(FrameType.RESPONSE, end ? FrameFlag.END : 0, payload);
    if (this.kind === "websocket" && head.status !== 101) this.#remoteEnded = true;
    if (end) this.#endLocal();
  }

  /**
   * Sends as much of `data` as there is credit and room for, in frames, and returns how many bytes that was; the caller
   * keeps the rest until `writable`. The bytes sent must not change until the end of the turn.
   */
  write(data: Uint8Array): number {
    if (this.#over || this.#localEnded) return data.byteLength;
    const size = Math.min(data.byteLength, this.#send.credit);
    let sent = 0;
    while (sent < size && this.#link.admits(this)) {
      const end = Math.min(sent + LIMITS.framePayloadBytes, size);
      this.turn += end - sent;
      this.#data(data.subarray(sent, end), 0);
      sent = end;
    }
    return sent;
  }

  /** It is this stream's turn to write. */
  takeTurn(): void {
    if (this.#over || this.#localEnded) return;
    try {
      this.handler?.writable();
    } catch (error) {
      this.fail(asStreamError(error));
    }
  }

  /** Sends one frame of a WebSocket message; at most `credit` and `LIMITS.framePayloadBytes` bytes. */
  writeMessageFrame(data: Uint8Array, flags: { text: boolean; more: boolean }): void {
    if (this.#over || this.#localEnded) return;
    this.#data(data, (flags.text ? FrameFlag.TEXT : 0) | (flags.more ? FrameFlag.MORE : 0));
  }

  /** Ends our half of an HTTP exchange. */
  end(): void {
    if (this.#over || this.#localEnded) return;
    this.#frame(FrameType.DATA, FrameFlag.END, new Uint8Array(0));
    this.#endLocal();
  }

  /** Ends our half of a WebSocket. */
  close(code: number, reason: string): void {
    if (this.#over || this.#localEnded) return;
    this.#frame(FrameType.CLOSE, 0, encodeCode(code, reason));
    this.#endLocal();
  }

  /** Puts memory beyond what its window holds on the connection's account; negative: off it. Throws `StreamError` `overloaded`. */
  retain(bytes: number): void {
    if (this.#over) return;
    this.#link.hold(bytes);
    this.#onAccount += bytes;
  }

  /**
   * Says that received bytes were used; gives their credit back in steps. Also to be said after the stream is over: until
   * then they count as held. Saying it twice costs the stream.
   */
  consume(bytes: number): void {
    this.#settle(Math.min(bytes, this.#onAccount));
    if (this.#over) return;
    if (bytes > this.held)
      return this.fail(new StreamError("internal_error", "more was consumed than received"));
    if (this.#remoteEnded) return this.#receive.consumeLast(bytes);
    const credit = this.#receive.consume(bytes);
    if (credit > 0) this.#frame(FrameType.WINDOW, 0, encodeCredit(credit));
  }

  /** Ends the stream early, both ways; the handler is not called. What it holds is taken for dropped. */
  reset(code: StreamErrorCode, reason = ""): void {
    this.#settle(this.#onAccount);
    if (this.#over) return;
    this.#frame(FrameType.RESET, 0, encodeReset(code, reason));
    this.#release();
  }

  /** Ends the stream without a frame, as when the connection is gone. */
  abandon(error: StreamError): void {
    this.#settle(this.#onAccount);
    if (this.#over) return;
    this.#release();
    this.#tellReset(error);
  }

  /** Takes a frame from the peer. Whatever is wrong with it, or with the handler, ends in a reset of this stream. */
  receive(frame: Frame): void {
    try {
      this.#dispatch(frame);
    } catch (error) {
      this.fail(asStreamError(error));
    }
  }

  /** Resets the stream towards the peer and tells the handler. */
  fail(error: StreamError): void {
    if (this.#over) return;
    this.reset(error.code, error.message);
    this.#tellReset(error);
  }

  #dispatch(frame: Frame): void {
    switch (frame.type) {
      case FrameType.RESPONSE:
        return this.#onResponse(frame);
      case FrameType.DATA:
        return this.#onData(frame);
      case FrameType.WINDOW:
        return this.#onWindow(frame.payload);
      case FrameType.CLOSE:
        return this.#onClose(frame.payload);
      case FrameType.RESET:
        return this.abandon(decodeReset(frame.payload));
      case FrameType.REQUEST:
        throw new StreamError("protocol_error", "REQUEST on an open stream");
      default:
    }
  }

  #onResponse(frame: Frame): void {
    if (this.#link.role !== "hub" || this.#status !== undefined) throw misplaced("RESPONSE");
    this.#link.path.measure(this.#receive.usedSince);
    const head = decodeResponseHead(frame.payload, this.#link.text);
    const ends = (frame.flags & FrameFlag.END) !== 0;
    if (head.status === 101 && (this.kind !== "websocket" || ends)) throw misplaced("status 101");
    this.#status = head.status;
    if (this.kind === "websocket" && head.status !== 101) this.#localEnded = true;
    this.handler?.response?.(head);
    if (ends && !this.#over) this.#endRemote();
  }

  #onData(frame: Frame): void {
    if (this.#remoteEnded || !this.#mayReceiveData()) throw misplaced("DATA");
    const ends = (frame.flags & FrameFlag.END) !== 0;
    if (ends && this.#status === 101) throw misplaced("END");
    this.#receive.receive(frame.payload.byteLength);
    this.retain(frame.payload.byteLength);
    if (frame.payload.byteLength > 0 || this.#status === 101) {
      const text = (frame.flags & FrameFlag.TEXT) !== 0;
      this.handler?.data(frame.payload, text, (frame.flags & FrameFlag.MORE) !== 0);
    }
    if (ends && !this.#over) this.#endRemote();
  }

  /** An answer's body follows its head; a WebSocket's messages follow 101; only a request's body may come at once. */
  #mayReceiveData(): boolean {
    if (this.#link.role === "hub") return this.#status !== undefined;
    return this.kind === "http" || this.#status === 101;
  }

  #onWindow(payload: Uint8Array): void {
    this.#send.grant(decodeCredit(payload));
    if (!this.#localEnded) this.handler?.writable();
  }

  #onClose(payload: Uint8Array): void {
    if (this.#status !== 101 || this.#remoteEnded) throw misplaced("CLOSE");
    const { code, reason } = decodeCode(payload);
    this.#remoteEnded = true;
    this.handler?.close?.(code, reason);
    this.#releaseIfEnded();
  }

  #settle(bytes: number): void {
    this.#link.hold(-bytes);
    this.#onAccount -= bytes;
    if (this.#over && this.#onAccount === 0) this.#receive.release();
  }

  #data(payload: Uint8Array, flags: number): void {
    this.#send.spend(payload.byteLength);
    this.#frame(FrameType.DATA, flags, payload);
  }

  #frame(type: FrameType, flags: number, payload: Uint8Array): void {
    this.#link.write({ type, flags, streamId: this.id, payload });
  }

  /** The stream is over already: an owner that fails at hearing so costs nothing more, least of all other streams. */
  #tellReset(error: StreamError): void {
    try {
      this.handler?.reset(error);
    } catch {
      return;
    }
  }

  #endLocal(): void {
    this.#localEnded = true;
    this.#releaseIfEnded();
  }

  #endRemote(): void {
    this.#remoteEnded = true;
    this.handler?.end();
    this.#releaseIfEnded();
  }

  #releaseIfEnded(): void {
    if (!this.#localEnded || !this.#remoteEnded) return;
    // Half a message and what waited to be sent are of no more use; what was received is not, until it is consumed.
    this.#settle(Math.max(0, this.#onAccount - this.held));
    this.#release();
  }

  #release(): void {
    if (this.#over) return;
    this.#over = true;
    if (this.#onAccount === 0) this.#receive.release();
    this.#link.release(this);
  }
}

function misplaced(what: string): StreamError {
  return new StreamError("protocol_error", `${what} is not allowed now`);
}
