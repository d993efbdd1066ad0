/** The library: one instance's connection to its hub, kept up for ever. */
import { EventEmitter } from "node:events";
import { Agent } from "node:http";
import {
  DEFAULT_PEER_LIMITS,
  needsPerson,
  PROTOCOL_VERSION,
  type ConnectionErrorCode,
  type InstanceMetadata,
  type Register,
  type RequestHead,
  type Stream,
} from "@ai-orchestrator/protocol";
import { createPlainAdapter, type Adapter } from "./adapter.ts";
import { Backoff } from "./backoff.ts";
import { boundedMetadata } from "./bounded.ts";
import { forwardHttp, type Upstream } from "./forward-http.ts";
import { forwardWebSocket } from "./forward-websocket.ts";
import { HUB_ADDRESS_RULE, isHubAddress } from "./hub-address.ts";
import { HubSocket, type SocketEnd } from "./hub-socket.ts";
import { isLoopbackHost } from "./loopback.ts";
import { OwnAgent } from "./own-connection.ts";
import { MAX_RETRY_MS } from "./retry-after.ts";
import { StatusTracker, type StatusReport } from "./status.ts";

const SOFTWARE = { name: "ai-orchestrator-connector", version: "0.1.0" };
const FIRST_RETRY_MS = 500;
/** A connection that lasted this long was a good one: only then does the next failure count as the first. */
const STABLE_MS = 10_000;
const AGENT = { keepAlive: true, maxFreeSockets: 64 };

export interface OrchestratorClientOptions {
  /** The hub, `https://hub.example.com` or `http://hub.localhost:8787`. */
  url: string;
  token: string;
  clientId: string;
  /** The local web application: always an origin on this machine, `http://127.0.0.1:3001`. */
  target: string;
  metadata: InstanceMetadata;
  adapter?: Adapter;
  /** Seconds between heartbeats, at most 45. Default 30. */
  heartbeatIntervalSeconds?: number;
  /** Largest pause between two attempts, in seconds. Default 30. */
  maxReconnectSeconds?: number;
  /** How long the application may take to begin an answer, in seconds. Default 120. */
  upstreamTimeoutSeconds?: number;
  /**
   * What another user of this machine may run. Default: neither. Without `hub`, a hub over plain http is dialled only where
   * its port is this user's; without `target`, the application is connected to only where its port is.
   */
  allowOtherUser?: { hub?: boolean; target?: boolean };
}

/** What happens to the connection, in the order it happens. */
export interface OrchestratorClientEvents {
  connecting: [{ attempt: number }];
  connected: [{ label: string; url: string }];
  /** The connection ended and another attempt follows in `retryMs`. */
  disconnected: [{ code: SocketEnd["code"]; message: string; retryMs: number }];
  /** The hub said to stay away, or refused the token: no further attempt. */
  stopped: [{ code: ConnectionErrorCode; message: string }];
  status: [{ status: "idle" | "active" | "busy"; needsPerson: number }];
  /** Something a person may want to know that did not end the connection. */
  warning: [{ message: string }];
}

export class OrchestratorClient extends EventEmitter<OrchestratorClientEvents> {
  readonly options: OrchestratorClientOptions;
  readonly #adapter: Adapter;
  readonly #upstream: Upstream;
  readonly #tracker: StatusTracker;
  readonly #backoff: Backoff;
  #socket: HubSocket | undefined;
  #retry: NodeJS.Timeout | undefined;
  #registeredAt = Number.POSITIVE_INFINITY;
  #state: "new" | "running" | "stopped" = "new";

  /** Throws a RangeError when `target` is not on this machine, or `url` would send the token over a network in clear. */
  constructor(options: OrchestratorClientOptions) {
    super();
    this.options = options;
    if (!isHubAddress(options.url)) throw new RangeError(`url: ${options.url} ${HUB_ADDRESS_RULE}`);
    const target = new URL(options.target);
    if (target.protocol !== "http:" || !isLoopbackHost(target.hostname)) {
      throw new RangeError(`target: ${options.target} is not an http address of this machine`);
    }
    this.#adapter = options.adapter ?? createPlainAdapter();
    this.#tracker = new StatusTracker(this.#adapter);
    this.#backoff = new Backoff({
      baseMs: FIRST_RETRY_MS,
      maxMs: (options.maxReconnectSeconds ?? 30) * 1000,
    });
    const ownPortOnly = options.allowOtherUser?.target !== true;
    this.#upstream = {
      target,
      adapter: this.#adapter,
      agent: ownPortOnly ? new OwnAgent(AGENT) : new Agent(AGENT),
      ownPortOnly,
      timeoutMs: (options.upstreamTimeoutSeconds ?? 120) * 1000,
    };
  }

  /** Begins connecting; returns at once. */
  start(): void {
    if (this.#state !== "new") return;
    this.#state = "running";
    this.#tracker.onChange((report) => this.#report(report));
    this.#adapter.start().then(
      () => this.#dial(),
      (error: unknown) => {
        this.emit("warning", { message: `The application could not be prepared: ${String(error)}` });
        this.#dial();
      },
    );
  }

  /** Ends the connection and every stream; resolves when nothing is left running. */
  async stop(): Promise<void> {
    const wasNew = this.#state === "new";
    this.#state = "stopped";
    clearTimeout(this.#retry);
    this.#socket?.leave();
    this.#tracker.stop();
    this.#upstream.agent.destroy();
    if (!wasNew) await this.#adapter.stop();
  }

  #dial(): void {
    if (this.#state !== "running") return;
    const { url, token, clientId, allowOtherUser, heartbeatIntervalSeconds = 30 } = this.options;
    this.emit("connecting", { attempt: this.#backoff.attempts + 1 });
    this.#socket = new HubSocket({
      url,
      token,
      clientId,
      allowOtherUser: allowOtherUser?.hub === true,
      heartbeatIntervalMs: Math.min(heartbeatIntervalSeconds, 45) * 1000,
      register: () => this.#register(),
      request: (stream, head, ended) => this.#forward(stream, head, ended),
      registered: ({ instance }) => {
        this.#registeredAt = performance.now();
        this.emit("connected", instance);
      },
      command: (command) => this.#command(command),
      ended: (end) => this.#ended(end),
    });
  }

  #register(): Register {
    const { clientId, metadata } = this.options;
    const { software } = this.#adapter;
    return {
      type: "register",
      protocol: PROTOCOL_VERSION,
      client_id: clientId,
      software: SOFTWARE,
      metadata: boundedMetadata(software ? { upstream: software, ...metadata } : metadata),
      capabilities: [],
      limits: DEFAULT_PEER_LIMITS,
      ...this.#tracker.current(),
    };
  }

  #forward(stream: Stream, head: RequestHead, ended: boolean): void {
    const { opened, closed } = this.#tracker.browsers;
    stream.handler =
      head.kind === "websocket"
        ? forwardWebSocket(stream, head, { ...this.#upstream, opened, closed })
        : forwardHttp(stream, head, ended, this.#upstream);
  }

  #command(command: "disconnect" | "refresh_status"): void {
    if (command === "disconnect") {
      this.#socket?.leave();
      return;
    }
    this.#adapter.refresh().then(
      () => this.#socket?.sendStatus(this.#tracker.current()),
      (error: unknown) =>
        this.emit("warning", { message: `The status could not be refreshed: ${String(error)}` }),
    );
  }

  #report(report: StatusReport): void {
    this.#socket?.sendStatus(report);
    this.emit("status", { status: report.status, needsPerson: report.sessions.filter(needsPerson).length });
  }

  #ended(end: SocketEnd): void {
    this.#socket = undefined;
    if (this.#state !== "running") return;
    if (end.stayAway) {
      this.#state = "stopped";
      this.emit("stopped", { code: end.code, message: end.message });
      return;
    }
    if (performance.now() - this.#registeredAt >= STABLE_MS) this.#backoff.reset();
    this.#registeredAt = Number.POSITIVE_INFINITY;
    // Not before the hub wishes, and not all at the moment it named.
    const retryMs = Math.min((end.retryAfterMs ?? 0) + this.#backoff.next(), MAX_RETRY_MS);
    this.emit("disconnected", { code: end.code, message: end.message, retryMs });
    this.#retry = setTimeout(() => this.#dial(), retryMs);
  }
}
