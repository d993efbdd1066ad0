import type { Tunnel } from "./tunnel/tunnel.ts";
import type { UserHub } from "./user-hub/user-hub.ts";

/** Bindings and settings of the Worker; the same names stand in `wrangler.jsonc`. */
export interface Env {
  DB: D1Database;
  USER_HUB: DurableObjectNamespace<UserHub>;
  TUNNEL: DurableObjectNamespace<Tunnel>;
  ASSETS: Fetcher;
  /** Origin of the hub itself, e.g. `http://hub.localhost:8787`. */
  HUB_ORIGIN: string;
  /** Host of an instance, with `{label}` once, e.g. `{label}.hub.localhost:8787` or `{label}-hub.example.com`. */
  INSTANCE_HOST: string;
  /** At least 32 random bytes in base64url; signs viewer cookies. */
  COOKIE_SECRET: string;
  /** "enabled" only where a local runner says so: opens `/auth/local`. */
  LOCAL_SIGN_IN?: string;
  /** What runs the connector where people read it; default: the published package through npx. */
  CONNECT_COMMAND?: string;
  /** Set by a local runner that attaches what this command starts: the empty dashboard shows it first. */
  START_COMMAND?: string;
}
