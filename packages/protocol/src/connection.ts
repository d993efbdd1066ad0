/** All streams of one connection, either end. The owner moves messages; this decides what they mean. */
import { asStreamError, ConnectionError, describeThrown, StreamError } from "./errors.ts";
import { FrameWriter, type SendFrames } from "./frame-writer.ts";
import { encodeReset } from "./frame-payloads.ts";
import { encodeFrames, FrameFlag, FrameType, readFrames, type Frame, type FrameVisitor } from "./frames.ts";
import { decodeRequestHead, encodeRequestHead, type HeaderText, type RequestHead } from "./header-block.ts";
import { LIMITS, type PeerLimits } from "./limits.ts";
import { Path } from "./path.ts";
import type { StreamHandler } from "./stream-handler.ts";
import type { StreamLink, StreamState } from "./stream-link.ts";
import { Stream } from "./stream.ts";
import { Turns } from "./turns.ts";

interface CommonOptions {
  role: "hub" | "connector";
  /** How this runtime shows header bytes. */
  text: HeaderText;
  /** What this end takes, and what the peer takes. */
  local: PeerLimits;
  remote: PeerLimits;
  /** Calls back at the end of this turn of the event loop, and is told how many frames left; default: a microtask. */
  schedule?: ((flush: () => number) => void) | undefined;
  /** A message of as many bytes leaves before the end of the turn; default: 64 KiB. */
  flushBytes?: number;
  /** Milliseconds since any time; default: `Date.now`. */
  now?: () => number;
  /**
   * Bytes of bodies that may still be sent now, so that everything else finds little before it; asked before each frame of a
   * body. Whoever gives it calls `drained` when there is room again. Default: no bound.
   */
  room?: () => number;
  /** Connector only: a new stream. Set `stream.handler` before returning; `ended` if the request has no body. */
  request?: (stream: Stream, head: RequestHead, ended: boolean) => void;
}

/** How binary messages are sent: whole, or by an owner that need not copy their frames together. Throwing means that the connection is gone. */
export type ConnectionOptions = CommonOptions &
  (
    | { send: (message: Uint8Array<ArrayBuffer>) => void; sendFrames?: undefined }
    | { send?: undefined; sendFrames: SendFrames }
  );

const MAX_STREAM_ID = 0xffff_ffff;

export class Connection implements StreamLink, FrameVisitor {
  readonly role: "hub" | "connector";
  readonly text: HeaderText;
  readonly path: Path;
  readonly #turns: Turns | undefined;
  readonly #options: ConnectionOptions;
  readonly #writer: FrameWriter;
  readonly #streams = new Map<number, Stream>();
  #lastId = 0;
  #isLost = false;
  #heldBytes = 0;

  constructor(options: ConnectionOptions) {
    this.role = options.role;
    this.text = options.text;
    this.#options = options;
    this.path = new Path(options.now ?? Date.now);
    const { flushBytes, room, schedule } = options;
    if (room) this.#turns = new Turns(() => room() > this.#writer.waitingBytes);
    this.#writer = new FrameWriter((frames, bytes) => this.#send(frames, bytes), schedule, flushBytes);
  }

  /** Bytes held for all streams: received and not consumed, unfinished messages, queues. */
  get heldBytes(): number {
    return this.#heldBytes;
  }

  get streamCount(): number {
    return this.#streams.size;
  }

  /** The ids of the streams that are open. */
  get streamIds(): Iterable<number> {
    return this.#streams.keys();
  }

  /** An open stream. */
  stream(id: number): Stream | undefined {
    return this.#streams.get(id);
  }

  /** The highest stream id so far. */
  get lastId(): number {
    return this.#lastId;
  }

  /** Says that ids up to this one were used before this object existed. */
  skipIds(lastId: number): void {
    this.#lastId = Math.max(this.#lastId, lastId);
  }

  /**
   * Hub only: opens a stream. Throws `StreamError`: `refused_stream` at the peer's limit, `connection_lost` after `lost`, or
   * as `encodeRequestHead`.
   */
  open(head: RequestHead, handler: StreamHandler, end: boolean): Stream {
    if (this.#isLost) throw new StreamError("connection_lost");
    if (this.#lastId >= MAX_STREAM_ID) throw new StreamError("refused_stream", "no stream ids are left");
    if (this.#streams.size >= this.#options.remote.max_streams) {
      throw new StreamError("refused_stream", "too many streams are open");
    }
    const payload = encodeRequestHead(head, this.text);
    const stream = this.#add(++this.#lastId, head.kind);
    stream.handler = handler;
    stream.request(payload, end);
    return stream;
  }

  /** Hub only: brings back an open WebSocket stream after this object's owner was out of memory. */
  restore(state: StreamState, handler: StreamHandler): Stream {
    const stream = this.#add(state.id, "websocket", state);
    stream.handler = handler;
    this.skipIds(state.id);
    return stream;
  }

  /** Takes a binary message. Returns the error that must end the connection, if it does. */
  receive(message: Uint8Array): ConnectionError | undefined {
    if (this.#isLost) return undefined;
    try {
      readFrames(message, this);
      return undefined;
    } catch (error) {
      return error instanceof ConnectionError
        ? error
        : new ConnectionError("internal_error", describeThrown(error));
    }
  }

  /** The connection is gone: every stream ends with `connection_lost`, and nothing is sent or taken any more. */
  lost(message = "the connection to the instance was lost"): void {
    this.#isLost = true;
    for (const stream of this.#streams.values()) {
      stream.abandon(new StreamError("connection_lost", message));
    }
  }

  /** Sends what waits, now. */
  flush(): void {
    this.#writer.flush();
  }

  /** There is room again: streams whose bodies wait for it write in turn. */
  drained(): void {
    this.#turns?.give();
  }

  write(frame: Frame): void {
    this.#writer.write(frame);
  }

  admits(stream: Stream): boolean {
    return this.#turns === undefined || this.#turns.admits(stream);
  }

  release(stream: Stream): void {
    this.#streams.delete(stream.id);
    this.#turns?.forget(stream);
  }

  hold(bytes: number): void {
    if (bytes > 0 && this.#heldBytes + bytes > LIMITS.connectionHeldBytes) {
      throw new StreamError("overloaded", "too much is held for the streams of this connection");
    }
    this.#heldBytes += bytes;
  }

  frame(frame: Frame): void {
    const stream = this.#streams.get(frame.streamId);
    if (stream) return stream.receive(frame);
    if (frame.type === FrameType.REQUEST) this.#onRequest(frame);
  }

  malformed({ type, streamId }: Pick<Frame, "type" | "streamId">, why: string): void {
    const failure = new StreamError("protocol_error", why);
    const stream = this.#streams.get(streamId);
    if (stream) return stream.fail(failure);
    if (type !== FrameType.REQUEST) return;
    if (this.role === "hub") throw streamFromConnector();
    this.skipIds(streamId);
    this.#refuse(streamId, failure);
  }

  #onRequest(frame: Frame): void {
    const { streamId } = frame;
    // To answer each would let eight bytes of a connector cost the hub twenty.
    if (this.role === "hub") throw streamFromConnector();
    if (streamId <= this.#lastId)
      return this.#refuse(streamId, new StreamError("protocol_error", "not a new stream"));
    this.#lastId = streamId;
    if (this.#streams.size >= this.#options.local.max_streams)
      return this.#refuse(streamId, new StreamError("refused_stream", "too many streams are open"));
    try {
      const head = decodeRequestHead(frame.payload, this.text);
      const ended = (frame.flags & FrameFlag.END) !== 0;
      if (ended && head.kind === "websocket")
        throw new StreamError("protocol_error", "a WebSocket cannot begin with its end");
      const stream = this.#add(streamId, head.kind);
      this.#options.request?.(stream, head, ended);
      if (ended) stream.receive({ ...frame, type: FrameType.DATA, payload: new Uint8Array(0) });
    } catch (error) {
      const failure = asStreamError(error);
      this.#refuse(streamId, failure);
      this.#streams.get(streamId)?.abandon(failure);
    }
  }

  #add(id: number, kind: RequestHead["kind"], restored?: StreamState): Stream {
    const { local, remote } = this.#options;
    const options = { id, kind, sendCredit: remote.stream_window, receiveWindow: local.stream_window };
    const stream = new Stream(this, options, restored);
    this.#streams.set(id, stream);
    return stream;
  }

  #send(frames: readonly Frame[], bytes: number): void {
    if (this.#isLost) return;
    const { send, sendFrames } = this.#options;
    try {
      if (send) send(encodeFrames(frames));
      else sendFrames(frames, bytes);
    } catch (error) {
      this.lost(`sending failed: ${describeThrown(error)}`);
    }
  }

  #refuse(streamId: number, { code, message }: StreamError): void {
    const payload = encodeReset(code, message);
    this.write({ type: FrameType.RESET, flags: 0, streamId, payload });
  }
}

function streamFromConnector(): ConnectionError {
  return new ConnectionError("bad_message", "only the hub opens streams");
}
