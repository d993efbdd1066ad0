/**
 * The authorizer's table: every route of the hub, each method of it, over HTTP or as an upgrade to a WebSocket, and who may.
 * The Worker enforces it, and whatever does not stand here is refused; the matrix test walks it as everyone who may not.
 */
import { instanceRoutes, routes } from "../routes.ts";

export type Who =
  /** Nobody is asked for. */
  | "anyone"
  /** A sign-in; `own` in a rule means that it sees and changes what is its own, and others' things do not exist for it. */
  | "signed-in"
  /** A sign-in, or a token with the scope `admin`, of an administrator. */
  | "admin"
  /** An instance's token with the scope `connect`. */
  | "connect-token"
  /** GitHub, by the signature of a webhook. */
  | "github"
  /** The browser that began this, by its own cookie: a sign-in at GitHub, or setup. */
  | "same-browser"
  /** The holder of a printed code, while the hub is not set up. */
  | "setup-code"
  /**
   * The owner of the instance, by this instance's own cookie or a code for it. In path mode by their sign-in at the hub, as `cookie`
   * below, of which the instance's Tunnel knows whether it has ended; and they have allowed path mode for this instance.
   */
  | "viewer";

export type Protocol = "http" | "websocket";

export interface Rule {
  /** `instance` rules are for an instance's own host, `path` rules for where it stands on the hub's. */
  host: "hub" | "instance" | "path";
  /** A pattern of Hono's. */
  path: string;
  /** `ANY` where an instance decides about its own methods. `GET` covers `HEAD`. */
  method: "GET" | "POST" | "DELETE" | "ANY";
  protocol: Protocol;
  who: Who;
  /**
   * What proves a sign-in. `database`: D1 is asked each time. `cookie`: while it is fresh the signed access cookie is enough,
   * and the handler's UserHub refuses sign-ins that have ended: for what is asked for often and only read.
   */
  proof?: "database" | "cookie";
  /** What it names belongs to one person; for everybody else it does not exist. */
  own?: true;
}

const hub = { host: "hub", protocol: "http" } as const;
const instance = { host: "instance", who: "viewer", own: true } as const;
const inPath = { host: "path", who: "viewer", own: true } as const;
const below = (path: string) => routes.clientProxy(":id") + path;

export const RULES: readonly Rule[] = [
  { ...hub, path: routes.home, method: "GET", who: "signed-in" },
  { ...hub, path: routes.health, method: "GET", who: "anyone" },
  { ...hub, path: `${instanceRoutes.assets}*`, method: "GET", who: "anyone" },

  { ...hub, path: routes.dashboard, method: "GET", who: "signed-in", proof: "cookie", own: true },
  {
    host: "hub",
    protocol: "websocket",
    path: routes.dashboardSocket,
    method: "GET",
    who: "signed-in",
    proof: "database",
    own: true,
  },
  { ...hub, path: routes.clients, method: "GET", who: "signed-in" },
  { ...hub, path: routes.client(":id"), method: "GET", who: "signed-in", proof: "cookie", own: true },
  { ...hub, path: routes.clientDetails(":id"), method: "GET", who: "signed-in", proof: "cookie", own: true },
  { ...hub, path: routes.clientReport(":id"), method: "GET", who: "signed-in", proof: "cookie", own: true },
  { ...hub, path: routes.disconnectClient(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.letClientBack(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.refreshClient(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.renameClient(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.markClientSeen(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.forgetClient(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.clientPath(":id"), method: "GET", who: "signed-in", proof: "cookie", own: true },
  { ...hub, path: routes.clientPath(":id"), method: "POST", who: "signed-in", own: true },
  {
    ...hub,
    path: routes.clientSocketInfo(":id"),
    method: "GET",
    who: "signed-in",
    proof: "cookie",
    own: true,
  },
  { ...hub, path: routes.pair, method: "GET", who: "signed-in", own: true },
  { ...hub, path: routes.approvePairing, method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.denyPairing, method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.activity, method: "GET", who: "signed-in", proof: "cookie", own: true },
  { ...hub, path: routes.switcher, method: "GET", who: "signed-in", proof: "cookie", own: true },
  { ...hub, path: routes.settings, method: "GET", who: "signed-in" },
  { ...hub, path: routes.settings, method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.manifest, method: "GET", who: "anyone" },
  { ...hub, path: routes.serviceWorker, method: "GET", who: "anyone" },
  { ...hub, path: routes.offline, method: "GET", who: "anyone" },
  { ...hub, path: routes.open(":label"), method: "GET", who: "signed-in", own: true },

  { ...hub, path: routes.tokens, method: "GET", who: "signed-in", own: true },
  { ...hub, path: routes.newToken, method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.revokeToken(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.rotateToken(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.apiTokens, method: "GET", who: "signed-in", own: true },
  { ...hub, path: routes.apiTokens, method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.apiToken(":id"), method: "DELETE", who: "signed-in", own: true },
  { ...hub, path: routes.rotateApiToken(":id"), method: "POST", who: "signed-in", own: true },

  { ...hub, path: routes.sessions, method: "GET", who: "signed-in", own: true },
  { ...hub, path: routes.endSession(":id"), method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.endAllSessions, method: "POST", who: "signed-in", own: true },

  { ...hub, path: routes.signIn, method: "GET", who: "anyone" },
  { ...hub, path: routes.signOut, method: "POST", who: "signed-in", own: true },
  { ...hub, path: routes.localSignIn, method: "GET", who: "anyone" },
  { ...hub, path: routes.gitHubSignIn, method: "GET", who: "anyone" },
  { ...hub, path: routes.gitHubCallback, method: "GET", who: "same-browser" },
  { ...hub, path: routes.gitHubWebhooks, method: "POST", who: "github" },

  { ...hub, path: routes.setup, method: "GET", who: "setup-code" },
  { ...hub, path: routes.setup, method: "POST", who: "setup-code" },
  { ...hub, path: routes.setupCreated, method: "GET", who: "same-browser" },

  { ...hub, path: routes.access, method: "GET", who: "admin" },
  { ...hub, path: routes.addAccess, method: "POST", who: "admin" },
  { ...hub, path: routes.removeAccess, method: "POST", who: "admin" },
  { ...hub, path: routes.whyAccess, method: "GET", who: "admin" },
  { ...hub, path: routes.audit, method: "GET", who: "admin" },
  { ...hub, path: routes.usage, method: "GET", who: "admin" },
  { ...hub, path: routes.apiAccess, method: "GET", who: "admin" },
  { ...hub, path: routes.apiAccess, method: "POST", who: "admin" },
  { ...hub, path: routes.apiAccessEntity(":kind", ":id"), method: "DELETE", who: "admin" },
  { ...hub, path: routes.apiWhyAccess, method: "GET", who: "admin" },
  { ...hub, path: routes.apiAudit, method: "GET", who: "admin" },

  {
    host: "hub",
    protocol: "websocket",
    path: routes.connect,
    method: "GET",
    who: "connect-token",
    own: true,
  },
  // Who has no token yet; what it gets is decided by the person who says its code.
  { host: "hub", protocol: "websocket", path: routes.pending, method: "GET", who: "anyone" },

  { ...instance, protocol: "http", path: instanceRoutes.enter, method: "GET" },
  { ...instance, protocol: "http", path: instanceRoutes.ready, method: "GET" },
  { ...instance, protocol: "http", path: instanceRoutes.mark, method: "GET" },
  { ...instance, protocol: "websocket", path: instanceRoutes.presence, method: "GET" },
  {
    host: "instance",
    protocol: "http",
    path: `${instanceRoutes.assets}*`,
    method: "GET",
    who: "anyone",
  },
  { ...instance, protocol: "http", path: "/*", method: "ANY" },
  { ...instance, protocol: "websocket", path: "/*", method: "GET" },

  { host: "path", protocol: "http", path: below(instanceRoutes.shim), method: "GET", who: "anyone" },
  { ...inPath, protocol: "http", path: below(instanceRoutes.ready), method: "GET" },
  { ...inPath, protocol: "http", path: below(instanceRoutes.mark), method: "GET" },
  { ...inPath, protocol: "http", path: below(instanceRoutes.switcher), method: "GET" },
  { ...inPath, protocol: "http", path: below(instanceRoutes.dashboard), method: "GET" },
  { ...inPath, protocol: "websocket", path: below(instanceRoutes.presence), method: "GET" },
  { ...inPath, protocol: "http", path: below(""), method: "ANY" },
  { ...inPath, protocol: "websocket", path: below(""), method: "GET" },
  { ...inPath, protocol: "http", path: below("/*"), method: "ANY" },
  { ...inPath, protocol: "websocket", path: below("/*"), method: "GET" },
];
