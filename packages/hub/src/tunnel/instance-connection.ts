/** What the Tunnel does with the registered connection of an instance, whatever version of the protocol it speaks. */
import type { RequestHead, Stream, StreamHandler } from "@ai-orchestrator/protocol";
import type { Opener } from "./attachments.ts";
import type { ConnectorSocket } from "./connector-sockets.ts";
import type { OpenExchanges } from "./open-exchanges.ts";

/** A viewer's request on its way to an instance. */
export interface ViewerHead extends RequestHead {
  /** As `VerifiedViewer.prefix`. */
  prefix: string;
}

/** What an exchange asks of its stream. */
export type ExchangeStream = Pick<
  Stream,
  "handler" | "isOver" | "write" | "end" | "consume" | "reset" | "fail"
>;

export interface InstanceConnection extends ConnectorSocket {
  readonly exchanges: OpenExchanges;
  /** Opens a stream; errors as in `Connection.open`. */
  open(head: ViewerHead, handler: StreamHandler, end: boolean): ExchangeStream;
  /** Accepts a browser's WebSocket, opened by this sign-in, for a stream that `open` has returned; returns the end for the browser. */
  acceptViewer(stream: ExchangeStream, opener: Opener): WebSocket;
  /** Sends what streams have written, now: its memory is theirs again. */
  flush(): void;
  /** The connection is gone: whatever is open over it ends with `connection_lost`. */
  lost(message?: string): void;
}
