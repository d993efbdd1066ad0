/** What the two objects promise each other and the pages: shapes that cross a Durable Object's RPC boundary. */
import type { ClaudeSession, ConnectionErrorCode, InstanceMetadata, Status } from "@ai-orchestrator/protocol";

/** Told to the owner's UserHub by a Tunnel whose connector has just registered. */
export interface InstanceConnected {
  clientId: string;
  /** Host label and name of the Tunnel. */
  label: string;
  tokenId: string;
  software: { name: string; version: string };
  metadata: InstanceMetadata;
  status: Status;
  sessions: ClaudeSession[];
  /** Milliseconds since the epoch. */
  connectedAt: number;
}

export interface StatusReport {
  status: Status;
  sessions: ClaudeSession[];
  /** Milliseconds since the epoch. */
  at: number;
}

/** Why an instance is no longer connected; `connection_lost` when its socket went without a word. */
export type GoneReason = ConnectionErrorCode | "connection_lost" | "stopped";

export interface Presence {
  connected: boolean;
  /** When the connector last proved it lives (message or heartbeat), milliseconds since the epoch. */
  provenAt: number | null;
}

/** RPC of `UserHub`, named by the user's id. */
export interface UserHubRpc {
  instanceConnected(instance: InstanceConnected): Promise<void>;
  instanceStatus(clientId: string, report: StatusReport): Promise<void>;
  instanceGone(clientId: string, connectedAt: number, reason: GoneReason, at: number): Promise<void>;
}

/** RPC of `Tunnel`, named by the instance's label. `owner` is a user's id; another owner's call is refused. */
export interface TunnelRpc {
  presence(owner: string): Promise<Presence>;
  /** Tells the connector to leave and closes its socket and everything proxied through it. */
  disconnect(owner: string, reason: ConnectionErrorCode, message: string): Promise<void>;
  /** As `disconnect`, but only if the connection was made with this token. */
  disconnectToken(owner: string, tokenId: string): Promise<void>;
  refreshStatus(owner: string): Promise<void>;
}
