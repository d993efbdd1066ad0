/** Frames of one turn of the event loop leave in one message: fewer messages, fewer system calls, a smaller bill. */
import { FRAME_HEADER_BYTES, type Frame } from "./frames.ts";
import { LIMITS } from "./limits.ts";

/** From this size on a message leaves at once: more would only wait. */
const FLUSH_BYTES = 64 * 1024;

/** Sends frames as one message of so many bytes; owns them. */
export type SendFrames = (frames: readonly Frame[], bytes: number) => void;

export class FrameWriter {
  readonly #send: SendFrames;
  readonly #schedule: (flush: () => number) => void;
  readonly #flushBytes: number;
  #frames: Frame[] = [];
  #bytes = 0;
  #scheduled = false;
  /** One closure for all turns. */
  readonly #endTurn = () => {
    this.#scheduled = false;
    return this.flush();
  };

  /** `send` is given the frames of one message; `schedule` calls back at the end of the turn (default: a microtask) and is told how many frames left; from `flushBytes` on a message does not wait for that. */
  constructor(
    send: SendFrames,
    // workerd refuses `queueMicrotask` as a method of another object.
    schedule: (flush: () => number) => void = (flush) => queueMicrotask(flush),
    flushBytes = FLUSH_BYTES,
  ) {
    this.#send = send;
    this.#schedule = schedule;
    this.#flushBytes = flushBytes;
  }

  /** Bytes that wait for the end of the turn. */
  get waitingBytes(): number {
    return this.#bytes;
  }

  /** Takes over the payload: it must not change until the end of the turn. Payloads over the limit are a RangeError. */
  write(frame: Frame): void {
    // Found here, it is its writer's alone; found when they are sent, it would cost everyone's frames of this turn.
    if (frame.payload.byteLength > LIMITS.framePayloadBytes)
      throw new RangeError("frame payload over the limit");
    const size = FRAME_HEADER_BYTES + frame.payload.byteLength;
    if (this.#bytes + size > LIMITS.messageBytes) this.flush();
    this.#frames.push(frame);
    this.#bytes += size;
    if (this.#bytes >= this.#flushBytes) {
      this.flush();
      return;
    }
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#schedule(this.#endTurn);
  }

  /** Sends what waits, now; returns how many frames that were. */
  flush(): number {
    const frames = this.#frames;
    const bytes = this.#bytes;
    if (frames.length === 0) return 0;
    this.#frames = [];
    this.#bytes = 0;
    this.#send(frames, bytes);
    return frames.length;
  }
}
