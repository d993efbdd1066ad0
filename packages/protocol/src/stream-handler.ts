import type { StreamError } from "./errors.ts";
import type { ResponseHead } from "./header-block.ts";

/**
 * What the owner of a stream is told. After `end` and `close` nothing more comes from the peer; after `reset` the stream is
 * over. What arrives in `data` must be given back with `Stream.consume` once it has been used, or the peer stops sending.
 */
export interface StreamHandler {
  /** Hub only: the head of the answer. */
  response?(head: ResponseHead): void;
  /** A view into the message: copy it to keep it. `text` and `more` mean something on WebSockets only. */
  data(payload: Uint8Array, text: boolean, more: boolean): void;
  /** The peer's half of an HTTP exchange ended. */
  end(): void;
  /** The peer's half of a WebSocket ended. */
  close?(code: number, reason: string): void;
  reset(error: StreamError): void;
  /** Credit came back, or what is to be sent has room again. */
  writable(): void;
}
