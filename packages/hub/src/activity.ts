/** What happened to a person's instances, one entry for each change they care about. Pure: objects, pages and the archive share it. */
import type { Absence, ClaudeSession, Status } from "@ai-orchestrator/protocol";
import type { GoneReason, InstanceAction } from "./contracts.ts";

/** What happened, once. Texts came from the instance or its owner: bounded, never trusted. */
export type Happening =
  | { kind: "connected"; isNew: boolean; absence?: Absence }
  | { kind: "gone"; reason: GoneReason }
  /** The status, and those sessions whose state is another than before. */
  | { kind: "status"; status: Status; before: Status; sessions: ClaudeSession[] }
  /** `actor` is the login of who did it, `name` the new name. */
  | { kind: "action"; action: InstanceAction["action"] | "open"; actor: string; name?: string };

export type ActivityEntry = Happening & {
  /** Grows with time; entries are ordered by it. */
  id: number;
  /** Milliseconds since the epoch. */
  at: number;
  label: string;
  /** What the instance was called then. */
  title: string;
};

export const ACTIVITY_FILTERS = ["all", "connections", "sessions", "errors", "actions"] as const;
export type ActivityFilter = (typeof ACTIVITY_FILTERS)[number];
