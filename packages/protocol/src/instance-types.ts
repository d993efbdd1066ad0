/**
 * What an instance and its hub tell each other about the instance, for programs: plain types, so that the connector's own types need
 * nothing of the schemas' library. The schemas stand in `status.ts` and `control.ts`; `instance-types.test.ts` holds both together.
 */

/** A status is one word about an instance: see `deriveStatus`. */
export type Status = "idle" | "active" | "busy";

/** What one Claude session is doing. The first three occupy it; `done` and `failed` stay until a person looks. */
export type SessionState = "working" | "needs_permission" | "needs_answer" | "done" | "failed" | "idle";

/** One Claude session of an instance. */
export interface ClaudeSession {
  id: string;
  title?: string | undefined;
  project: string;
  state: SessionState;
  /** When it entered `state`, in milliseconds since the epoch. */
  since: number;
}

/** What an instance says about itself. All of it is shown to people and none of it is trusted. */
export interface InstanceMetadata {
  hostname: string;
  project: string;
  platform: string;
  /** The web application, where it is known. */
  upstream?: { name: string; version: string } | undefined;
}

/**
 * Why an instance was without its hub before this registration, as its connector saw it: its machine slept, its process did not
 * run while the machine did, or there was no way to the hub. Milliseconds since the epoch.
 */
export interface Absence {
  cause: "asleep" | "frozen" | "network";
  since: number;
  until: number;
}

/**
 * Who may use an instance, by GitHub's names: one of these users, or a member of the organisation, or of the team in it. With a
 * team the organisation alone is not enough. Names in any case; a user may be `name:id`, and then the id decides.
 */
export interface AccessList {
  users?: string[] | undefined;
  organization?: string | undefined;
  team?: string | undefined;
}

/** A line of the connector's recent log, for its owner. `at` is milliseconds since the epoch. Shown to people and not trusted. */
export interface LogLine {
  at: number;
  level: "info" | "warning" | "error";
  text: string;
}
