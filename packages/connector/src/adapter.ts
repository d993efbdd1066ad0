/**
 * What the connector knows about the web application behind it. The forwarding code knows none of it: it calls an
 * adapter. `plain` serves any application; `claudecodeui/` knows claudecodeui's sign-in and its sessions.
 */
import type { ClaudeSession } from "@ai-orchestrator/protocol";

/** Header fields in order, names as received, repeated names allowed. */
export type HeaderList = [name: string, value: string][];

export interface RequestParts {
  kind: "http" | "websocket";
  method: string;
  /** Path and query, always beginning with `/`. */
  target: string;
  headers: HeaderList;
}

export interface ResponseParts {
  status: number;
  headers: HeaderList;
}

/** Watches one proxied WebSocket; must not change it. Only whole text messages are shown. */
export interface WebSocketObserver {
  fromBrowser?(text: string): void;
  fromUpstream?(text: string): void;
  closed?(): void;
}

export interface Adapter {
  /** What answers at the target, as far as it can be told. */
  readonly software: { name: string; version: string } | undefined;
  /** Called once before the first connection; may sign in, read files, start watching. Never throws. */
  start(): Promise<void>;
  stop(): Promise<void>;
  /** The request as the upstream shall see it. Called for every stream; must be fast. */
  prepareRequest(request: RequestParts): RequestParts | Promise<RequestParts>;
  /**
   * The answer's head as the browser shall see it (also of a refused upgrade). With `rewriteBody` the whole body, decoded
   * as UTF-8 and bounded by the forwarder, is replaced by what it returns; the forwarder drops ETag, Content-Length and ranges.
   */
  prepareResponse(
    request: RequestParts,
    response: ResponseParts,
  ): { response: ResponseParts; rewriteBody?: (body: string) => string };
  observeWebSocket?(request: RequestParts): WebSocketObserver | undefined;
  /** The Claude sessions now. */
  sessions(): ClaudeSession[];
  /** Looks again at every source; resolves when `sessions()` is current. */
  refresh(): Promise<void>;
  /** Called back whenever `sessions()` may have changed; returns a function that ends it. */
  onChange(listener: () => void): () => void;
  /** Called back with one sentence for whoever runs the connector; returns a function that ends it. */
  onNotice?(listener: (message: string) => void): () => void;
}

/** For an application nothing is known about. */
export function createPlainAdapter(): Adapter {
  return {
    software: undefined,
    start: () => Promise.resolve(),
    stop: () => Promise.resolve(),
    prepareRequest: (request) => request,
    prepareResponse: (_request, response) => ({ response }),
    sessions: () => [],
    refresh: () => Promise.resolve(),
    onChange: () => () => undefined,
  };
}
