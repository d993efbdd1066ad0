/** The form of `vectors/*.json`. */
import { fromHex } from "./naive-codec.ts";

/** Hexadecimal, or one byte many times. */
export type Piece = string | { repeat: string; times: number };

interface Base {
  flags: ("END" | "TEXT" | "MORE")[];
  stream: number;
}

type Fields = [string, string][];

export type VectorFrame = Base &
  (
    | {
        type: "REQUEST";
        head: { kind: "http" | "websocket"; method: string; target: string; headers: Fields };
      }
    | { type: "RESPONSE"; head: { status: number; headers: Fields } }
    | { type: "DATA"; payload: Piece }
    | { type: "WINDOW"; credit: number }
    | { type: "RESET" | "CLOSE"; code: number; reason: string }
  );

export interface FrameVector {
  name: string;
  message: Piece[];
  frames: VectorFrame[];
}

export interface MalformedVector {
  name: string;
  role: "hub" | "connector";
  open: ("http" | "websocket")[];
  message: Piece[];
  resets: { stream: number; code: string }[];
  closed: string | null;
  left: number[];
}

/** The bytes that pieces stand for. */
export function bytesOf(pieces: readonly Piece[]): Uint8Array<ArrayBuffer> {
  const parts = pieces.map((piece) =>
    typeof piece === "string"
      ? fromHex(piece)
      : new Uint8Array(piece.times).fill(Number.parseInt(piece.repeat, 16)),
  );
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes;
}
