/** The library: one instance's connection to its hub, kept up for ever. */
import { EventEmitter } from "node:events";
import type { ConnectionErrorCode, InstanceMetadata } from "@ai-orchestrator/protocol";
import type { Adapter } from "./adapter.ts";

export interface OrchestratorClientOptions {
  /** The hub, `https://hub.example.com` or `http://hub.localhost:8787`. */
  url: string;
  token: string;
  clientId: string;
  /** The local web application: always an origin on this machine, `http://127.0.0.1:3001`. */
  target: string;
  metadata: InstanceMetadata;
  adapter?: Adapter;
  /** Seconds between heartbeats. Default 30. */
  heartbeatIntervalSeconds?: number;
  /** Largest pause between two attempts, in seconds. Default 30. */
  maxReconnectSeconds?: number;
}

/** What happens to the connection, in the order it happens. */
export interface OrchestratorClientEvents {
  connecting: [{ attempt: number }];
  connected: [{ label: string; url: string }];
  /** The connection ended and another attempt follows in `retryMs`. */
  disconnected: [{ code: ConnectionErrorCode | "connection_lost" | "unreachable"; message: string; retryMs: number }];
  /** The hub said to stay away, or refused the token: no further attempt. */
  stopped: [{ code: ConnectionErrorCode; message: string }];
  status: [{ status: "idle" | "active" | "busy"; needsPerson: number }];
  /** Something a person may want to know that did not end the connection. */
  warning: [{ message: string }];
}

export class OrchestratorClient extends EventEmitter<OrchestratorClientEvents> {
  readonly options: OrchestratorClientOptions;

  constructor(options: OrchestratorClientOptions) {
    super();
    this.options = options;
  }

  /** Begins connecting; returns at once. */
  start(): void {}

  /** Ends the connection and every stream; resolves when nothing is left running. */
  async stop(): Promise<void> {}
}
