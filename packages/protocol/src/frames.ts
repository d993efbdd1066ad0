/** Frames: eight bytes of header and a payload, several in one message. SPEC.md section 3. */
import { ConnectionError } from "./errors.ts";
import { LIMITS } from "./limits.ts";

export const FrameType = { REQUEST: 1, RESPONSE: 2, DATA: 3, WINDOW: 4, RESET: 5, CLOSE: 6 } as const;
export type FrameType = (typeof FrameType)[keyof typeof FrameType];

export const FrameFlag = { END: 1, TEXT: 2, MORE: 4 } as const;

export const FRAME_HEADER_BYTES = 8;

/** One frame. A parsed payload is a view into the message it came in: copy it to keep it. */
export interface Frame {
  /** One of `FrameType`, or a number of a later version when parsed. */
  type: number;
  flags: number;
  streamId: number;
  payload: Uint8Array;
}

/** What a reader is told, in order: each whole frame, or that a frame of this type and stream was malformed. */
export interface FrameVisitor {
  frame(frame: Frame): void;
  malformed(frame: Pick<Frame, "type" | "streamId">, why: string): void;
}

/** Writes a frame's header at `offset` and returns where its payload goes. A payload over the limit is a RangeError. */
export function writeFrameHeader(target: Uint8Array, offset: number, frame: Frame): number {
  const { flags, payload, streamId, type } = frame;
  const length = payload.byteLength;
  if (length > LIMITS.framePayloadBytes) throw new RangeError("frame payload over the limit");
  // Byte by byte: for eight bytes that costs less than a DataView of the message.
  target[offset] = (type << 4) | flags;
  target[offset + 1] = length >> 16;
  target[offset + 2] = length >> 8;
  target[offset + 3] = length;
  target[offset + 4] = streamId >>> 24;
  target[offset + 5] = streamId >>> 16;
  target[offset + 6] = streamId >>> 8;
  target[offset + 7] = streamId;
  return offset + FRAME_HEADER_BYTES;
}

/** Writes frames one after another into one new message. Payloads over the limit are a RangeError. */
export function encodeFrames(frames: readonly Frame[]): Uint8Array<ArrayBuffer> {
  let size = 0;
  for (const { payload } of frames) size += FRAME_HEADER_BYTES + payload.byteLength;
  const message = new Uint8Array(size);
  let offset = 0;
  for (const frame of frames) {
    offset = writeFrameHeader(message, offset, frame);
    message.set(frame.payload, offset);
    offset += frame.payload.byteLength;
  }
  return message;
}

/**
 * Reads every frame of a message. A frame with a wrong length costs its stream and the rest of the message; what cannot
 * be laid to one stream throws `ConnectionError`.
 */
export function readFrames(message: Uint8Array, visitor: FrameVisitor): void {
  if (message.byteLength > LIMITS.messageBytes) {
    throw new ConnectionError("message_too_big", `message of ${message.byteLength} bytes`);
  }
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  let offset = 0;
  while (offset < message.byteLength) {
    if (message.byteLength - offset < FRAME_HEADER_BYTES) {
      throw new ConnectionError("bad_message", "message ends inside a frame header");
    }
    const first = view.getUint32(offset);
    const streamId = view.getUint32(offset + 4);
    if (streamId === 0) throw new ConnectionError("bad_message", "frame for stream 0");
    const type = first >>> 28;
    const start = offset + FRAME_HEADER_BYTES;
    const end = start + (first & 0xff_ffff);
    if (end > message.byteLength)
      return visitor.malformed({ type, streamId }, "frame longer than its message");
    if (end - start > LIMITS.framePayloadBytes)
      visitor.malformed({ type, streamId }, "frame payload over the limit");
    else {
      const payload = message.subarray(start, end);
      visitor.frame({ type, flags: (first >>> 24) & 15, streamId, payload });
    }
    offset = end;
  }
}
