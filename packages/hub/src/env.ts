import type { Tunnel } from "./tunnel/tunnel.ts";
import type { Pairing } from "./pairing/pairing.ts";
import type { RateLimiter } from "./rate-limiter/rate-limiter.ts";
import type { Meter } from "./usage/meter.ts";
import type { UserHub } from "./user-hub/user-hub.ts";

/** Bindings and settings of the Worker; the same names stand in `wrangler.jsonc`. */
export interface Env {
  DB: D1Database;
  USER_HUB: DurableObjectNamespace<UserHub>;
  TUNNEL: DurableObjectNamespace<Tunnel>;
  RATE_LIMITER: DurableObjectNamespace<RateLimiter>;
  PAIRING: DurableObjectNamespace<Pairing>;
  METER: DurableObjectNamespace<Meter>;
  /** Counts roughly and for nothing, at the edge: requests to sign-in pages, connection attempts. */
  EDGE_SIGN_IN: RateLimit;
  EDGE_CONNECT: RateLimit;
  /** Activity of past days. */
  ARCHIVE: R2Bucket;
  ASSETS: Fetcher;
  /** Origin of the hub itself, e.g. `http://hub.localhost:8787`. */
  HUB_ORIGIN: string;
  /**
   * Host of an instance, with `{label}` once, e.g. `{label}.hub.localhost:8787` or `{label}-hub.example.com`. Not set, or `none`,
   * where the hub has one host name only: its instances then open below it, in path mode.
   */
  INSTANCE_HOST?: string;
  /** At least 32 random bytes in base64url; every key of the hub is derived from it (auth/keys.ts). */
  HUB_SECRET: string;
  /** "enabled" only where a local runner says so: opens `/auth/local`. */
  LOCAL_SIGN_IN?: string;
  /** What runs the connector where people read it; default: the published package through npx. */
  CONNECT_COMMAND?: string;
  /** Set by a local runner that attaches what this command starts: the empty dashboard shows it first. */
  START_COMMAND?: string;
  /** "enabled" where nothing before the Worker compresses its answers, as an edge does. */
  COMPRESS_ANSWERS?: string;
  /** "enabled" where people sign in with GitHub; without it nobody is offered to. */
  GITHUB_SIGN_IN?: string;
  /** Where people sign in, e.g. `https://github.com` (default) or a GitHub Enterprise Server. */
  GITHUB_URL?: string;
  /** Its API, e.g. `https://api.github.com` (default) or `https://github.example.com/api/v3`. */
  GITHUB_API_URL?: string;
  /** The GitHub App, where it was not made by `/setup`: both or none. */
  GITHUB_CLIENT_ID?: string;
  GITHUB_CLIENT_SECRET?: string;
  /** What GitHub signs its webhooks with, where `/setup` was not told. */
  GITHUB_WEBHOOK_SECRET?: string;
  /** Who gets in, beside what administrators add: `name:id` with commas between them (auth/policy-settings.ts). */
  ALLOWED_ORGS?: string;
  ALLOWED_USERS?: string;
  ALLOWED_TEAMS?: string;
  /** Users who get in and decide who else does. */
  ADMINS?: string;
  /** Seconds after which GitHub is asked again whether somebody still belongs. Default 3600. */
  MEMBERSHIP_MAX_AGE_SECONDS?: string;
  /** Seconds for which GitHub's last answer counts beyond that while it cannot be asked. Default 14400. */
  MEMBERSHIP_GRACE_SECONDS?: string;
  /** Which plan of Cloudflare's the hub runs on: `free`, `paid` (default), or `local` where a local runner says so. */
  PLAN?: string;
  /** USD a month that the paid plan may cost with everything, from 5 up: a quota of one's own. Default: none. */
  MONTHLY_BUDGET_USD?: string;
  /** Seconds after which a connection without a sign of life is none any more, 1 to 90. Default 90; connectors give one every 30. */
  PROOF_MAX_AGE_SECONDS?: string;
}
