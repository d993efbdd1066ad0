/** What the library is told, and what it says. */
import type {
  Absence,
  AccessList,
  ConnectionErrorCode,
  InstanceMetadata,
  LogLine,
} from "@ai-orchestrator/protocol";
import type { Adapter } from "./adapter.ts";
import type { Said } from "./narrator.ts";
import type { SocketEnd } from "./socket-end.ts";

export interface OrchestratorClientOptions {
  /** The hub, `https://hub.example.com` or `http://hub.localhost:8787`. */
  url: string;
  /** An instance's token, sent in a header. It appears in no message and no log. */
  token: string;
  /** Who the instance is to the hub: 1 to 128 printable characters. Of two with the same one, the newest is connected. */
  clientId: string;
  /** The local web application: always an origin on this machine, `http://127.0.0.1:3001`. */
  target: string;
  /** What the hub shows of it; what is too long is cut. */
  metadata: InstanceMetadata;
  /**
   * Who may use the instance, by GitHub's names (SPEC.md, section 2, "Access"): nobody beside them, its owner included. Without it
   * everybody whom the hub lets through. A list that names nobody lets nobody in.
   */
  access?: AccessList;
  /** The client's own from here on: it starts and stops it. Default: everything passes through as it is. */
  adapter?: Adapter;
  /** Milliseconds between heartbeats, at most 45,000. Default 30,000. */
  heartbeatIntervalMs?: number;
  /** Longest pause between two attempts, in milliseconds, where the hub does not ask for a longer one. Default 30,000. */
  reconnectIntervalMs?: number;
  /** How long the application may take to begin an answer, in milliseconds. Default 120,000. */
  upstreamTimeoutMs?: number;
  /**
   * What another user of this machine may run. Default: neither. Without `hub`, a hub over plain http is dialled only where
   * its port is this user's; without `target`, the application is connected to only where its port is.
   */
  allowOtherUser?: { hub?: boolean; target?: boolean };
  /**
   * Whether this process keeps running for the connection's sake. Default true. With false it ends by itself as it would without;
   * only an attempt to connect that nothing answers may put that off, by 10 seconds at most.
   */
  holdsProcess?: boolean;
}

/** What happens to the connection, in the order it happens. */
export interface OrchestratorClientEvents {
  /** Not said of the attempts of one that was sent away. */
  connecting: [{ attempt: number }];
  /** `url`: where people open the instance. `label`: its name in that. `absence`: what the hub was told of the time before. */
  connected: [{ label: string; url: string; absence?: Absence }];
  /** The connection ended, or was not made, and another attempt follows in `retryMs`. */
  disconnected: [{ code: SocketEnd["code"]; message: string; retryMs: number }];
  /**
   * Its owner has sent the instance away. It asks about once a minute whether it may return and says nothing of that;
   * `connected` follows when it may, `stopped` when the hub refuses it for good.
   */
  sentAway: [{ message: string }];
  /** The hub said to stay away, or refused the token: no further attempt. */
  stopped: [{ code: ConnectionErrorCode; message: string }];
  /** `stop` was called and has done its work. Said once; nothing follows. */
  ended: [];
  /** The instance's word has changed, or how many sessions wait for a person. */
  status: [{ status: "idle" | "active" | "busy"; needsPerson: number }];
  /** Something a person may want to know that did not end the connection. */
  warning: [{ message: string }];
  /** A line for each thing that a person may want to read, as the hub may be shown it. */
  log: [LogLine & { kind: Said["kind"] }];
}
