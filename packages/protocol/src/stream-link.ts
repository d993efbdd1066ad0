/** What stands between a stream and its connection. */
import type { Frame } from "./frames.ts";
import type { HeaderText, RequestHead } from "./header-block.ts";
import type { Path } from "./path.ts";
import type { Stream } from "./stream.ts";
import type { ReceiveWindowState } from "./window.ts";

/** What a WebSocket stream needs to live on after its owner was out of memory. */
export interface StreamState {
  id: number;
  sendCredit: number;
  receive: ReceiveWindowState;
  localEnded: boolean;
  remoteEnded: boolean;
}

/** What a stream needs of its connection. */
export interface StreamLink {
  write(frame: Frame): void;
  /** The stream is over: forget it. */
  release(stream: Stream): void;
  /** Counts memory held for streams, more or less of it. Throws `StreamError` `overloaded` at the limit. */
  hold(bytes: number): void;
  /** Whether a stream may write a frame of a body now. Where not, it is told `writable` once it may. */
  admits(stream: Stream): boolean;
  readonly role: "hub" | "connector";
  readonly text: HeaderText;
  readonly path: Path;
}

export interface StreamOptions {
  id: number;
  kind: RequestHead["kind"];
  sendCredit: number;
  receiveWindow: number;
}
