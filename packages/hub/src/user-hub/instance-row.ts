/** A row of the registry as the instance it stands for. */
import type { Absence, AccessList, ClaudeSession, Status } from "@ai-orchestrator/protocol";
import type { GoneReason } from "../contracts.ts";
import type { Instance } from "../instance.ts";

export type InstanceRow = Record<string, SqlStorageValue>;

/** Rows were written by registry.ts, so their columns are known; the casts say which. */
export function toInstance(row: InstanceRow): Instance {
  const text = (column: string): string => row[column] as string;
  const time = (column: string): number => row[column] as number;
  const upstream =
    row["upstream_name"] === null ? null : { name: text("upstream_name"), version: text("upstream_version") };
  return {
    clientId: text("client_id"),
    label: text("label"),
    tokenId: text("token_id"),
    software: { name: text("software_name"), version: text("software_version") },
    hostname: text("hostname"),
    project: text("project"),
    platform: text("platform"),
    upstream,
    status: text("status") as Status,
    statusSince: time("status_since"),
    sessions: JSON.parse(text("sessions")) as ClaudeSession[],
    connected: row["connected"] === 1,
    connectedAt: time("connected_at"),
    heardAt: time("heard_at"),
    goneAt: row["gone_at"] === null ? null : time("gone_at"),
    goneReason: row["gone_reason"] === null ? null : (text("gone_reason") as GoneReason),
    firstSeenAt: time("first_seen_at"),
    name: text("name"),
    keptAway: row["kept_away"] === 1,
    seenUntil: time("seen_until"),
    absence: row["absence"] === null ? null : (JSON.parse(text("absence")) as Absence),
    protocol: row["protocol"] === 1 ? 1 : 2,
    pathTrusted: row["path_trusted"] === 1,
    access: row["access"] === null ? null : (JSON.parse(text("access")) as AccessList),
  };
}
