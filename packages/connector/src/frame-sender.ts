/**
 * Sends frames over an open WebSocket without a copy of what bodies are made of. ws takes a message as one piece, so its pieces would
 * have to be copied together first; here a body's bytes go to the network as they came from the application. Measured: see the commit.
 */
import type { Writable } from "node:stream";
import { FRAME_HEADER_BYTES, writeFrameHeader, type Frame } from "@ai-orchestrator/protocol";

/** From this size on a payload is written by itself; below, copying costs less than another piece. */
const APART_BYTES = 4 * 1024;

const BINARY_WHOLE = 0x82;
const MASKED = 0x80;
/** A WebSocket frame's header at its longest, with its masking key. */
const MAX_HEADER_BYTES = 14;

/**
 * Writes one binary message of these frames, `bytes` in all, to the socket under a WebSocket. It stands between two of ws's own, because
 * ws, where it compresses nothing, writes each message at once.
 */
export function sendFrames(socket: Writable, frames: readonly Frame[], bytes: number): void {
  const buffer = Buffer.allocUnsafe(MAX_HEADER_BYTES + copiedBytes(frames));
  let begin = 0;
  let end = writeMessageHeader(buffer, bytes);
  socket.cork();
  for (const frame of frames) {
    const { payload } = frame;
    end = writeFrameHeader(buffer, end, frame);
    if (payload.byteLength < APART_BYTES) {
      buffer.set(payload, end);
      end += payload.byteLength;
      continue;
    }
    socket.write(buffer.subarray(begin, end));
    socket.write(payload);
    begin = end;
  }
  if (end > begin) socket.write(buffer.subarray(begin, end));
  socket.uncork();
}

function copiedBytes(frames: readonly Frame[]): number {
  let bytes = 0;
  for (const { payload } of frames)
    bytes += FRAME_HEADER_BYTES + (payload.byteLength < APART_BYTES ? payload.byteLength : 0);
  return bytes;
}

/** RFC 6455, section 5.2, with a key of zero (zero-mask.ts says why). Returns its length. */
function writeMessageHeader(buffer: Buffer, bytes: number): number {
  buffer[0] = BINARY_WHOLE;
  const key = writeLength(buffer, bytes);
  buffer.fill(0, key, key + 4);
  return key + 4;
}

function writeLength(buffer: Buffer, bytes: number): number {
  if (bytes < 126) {
    buffer[1] = MASKED | bytes;
    return 2;
  }
  if (bytes < 65_536) {
    buffer[1] = MASKED | 126;
    return buffer.writeUInt16BE(bytes, 2);
  }
  buffer[1] = MASKED | 127;
  buffer.writeUInt32BE(0, 2);
  return buffer.writeUInt32BE(bytes, 6);
}
