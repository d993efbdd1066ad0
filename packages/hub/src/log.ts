/**
 * What the hub tells its operator: one line of JSON for each event. Fields are ids, counts and words of the hub's own; what
 * a person, a browser or an instance wrote has no field to stand in, and the texts of errors lose whatever looks like a secret.
 */
import { withoutSecrets } from "./redact.ts";

type LogLevel = "info" | "warning" | "error";

/** Every event and its level. */
const LEVELS = {
  // Instances and dashboards.
  instance_connected: "info",
  instance_gone: "info",
  dashboard_opened: "info",
  dashboard_closed: "info",

  // Whatever is written into the audit log (audit.ts).
  sign_in: "info",
  sign_in_refused: "info",
  sign_out: "info",
  session_ended: "info",
  session_reused: "warning",
  token_created: "info",
  token_rotated: "info",
  token_revoked: "info",
  pairing_approved: "info",
  pairing_denied: "info",
  policy_added: "info",
  policy_removed: "info",
  access_lost: "info",
  webhook_refused: "warning",
  app_configured: "info",

  // Somebody tries too often.
  rate_limited: "warning",

  // Near the end of a quota, or no longer.
  usage_level_changed: "warning",

  // What the hub needs is away; it goes on without it and tries again.
  github_unavailable: "warning",
  github_away: "warning",
  github_grant_worthless: "warning",
  archive_failed: "error",
  archive_unreadable: "error",
  activity_dropped: "error",
  census_failed: "warning",
  dashboard_not_told: "error",
  dependency_failing: "error",
  inspection_failed: "error",
  look_failed: "error",
  meter_failed: "warning",
  recheck_failed: "error",
  session_unchecked: "error",
  settings_not_noticed: "error",
  tunnel_not_told: "error",

  // Settings that must be put right.
  github_app_refused: "error",
  misconfigured: "error",

  // Mistakes of the hub's.
  unhandled: "error",
  unhandled_error: "error",
} as const satisfies Record<string, LogLevel>;

export type LogEvent = keyof typeof LEVELS;

export interface LogFields {
  userId?: string | null;
  /** An instance's, which is also the name of its Tunnel. */
  label?: string;
  /** One of a fixed set of words. */
  reason?: string | null;
  /** Which of several: a limit, a dependency. */
  kind?: string;
  method?: string;
  /** The pattern of a route, never a path. */
  route?: string;
  /** How many there are now. */
  count?: number;
  /** In the archive. */
  file?: string;
  /** What is wrong with a setting, in a sentence that names it. */
  problem?: string;
  /** What was thrown: its name and message. */
  error?: unknown;
  /** Where it was thrown, for mistakes of the hub's. */
  stack?: string | undefined;
}

const WRITERS: Record<LogLevel, "info" | "warn" | "error"> = {
  info: "info",
  warning: "warn",
  error: "error",
};

/** Writes an event's line. Text, not an object: platforms print those over several lines. */
export function log(event: LogEvent, fields: LogFields = {}): void {
  const level = LEVELS[event];
  const written = Object.entries(fields).flatMap(([name, value]: [string, unknown]) =>
    value === undefined ? [] : [[name, name === "label" ? value : withoutSecret(value)]],
  );
  console[WRITERS[level]](JSON.stringify({ event, level, ...Object.fromEntries(written) }));
}

/** The kind of what was thrown, for what may quote an address with a code in it. */
export function errorName(error: unknown): string {
  return error instanceof Error ? error.name : typeof error;
}

/** Labels are the only words of ours that may be as long as a secret. */
function withoutSecret(value: unknown): unknown {
  if (value instanceof Error) return withoutSecrets(`${value.name}: ${value.message}`);
  if (typeof value === "string") return withoutSecrets(value);
  return typeof value === "number" || value === null ? value : typeof value;
}
