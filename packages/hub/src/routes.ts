/** Every URL of the hub, once. Pages and tests build paths from here and nowhere else. */
export const routes = {
  home: "/",
  health: "/health",
  dashboard: "/dashboard",
  dashboardSocket: "/dashboard/socket",
  clients: "/clients",
  client: (id: string) => `/clients/${segment(id)}`,
  clientDetails: (id: string) => `/clients/${segment(id)}/details`,
  /** What is asked of the connector itself: the way there, its recent log. A piece of a page. */
  clientReport: (id: string) => `/clients/${segment(id)}/report`,
  disconnectClient: (id: string) => `/clients/${segment(id)}/disconnect`,
  letClientBack: (id: string) => `/clients/${segment(id)}/let-back`,
  refreshClient: (id: string) => `/clients/${segment(id)}/refresh`,
  renameClient: (id: string) => `/clients/${segment(id)}/rename`,
  markClientSeen: (id: string) => `/clients/${segment(id)}/seen`,
  forgetClient: (id: string) => `/clients/${segment(id)}/forget`,
  /** The instance itself in path mode, on the hub's own origin, without a slash at the end. */
  clientProxy: (id: string) => `/clients/${segment(id)}/proxy`,
  /** What path mode trusts, and where its owner allows it for an instance or takes that back. */
  clientPath: (id: string) => `/clients/${segment(id)}/path`,
  /** Where a page of a version 1 client asks for the WebSocket of its instance. */
  clientSocketInfo: (id: string) => `/api/clients/${segment(id)}/ws-info`,
  /** Where a person says the code that an instance without a token shows. */
  pair: "/pair",
  approvePairing: "/pair/approve",
  denyPairing: "/pair/deny",
  /** What happened, to one instance or to all. */
  activity: "/activity",
  /** Every instance and page to go to, as a piece of a page; with `?from=<label>` a page for the mark's frame. */
  switcher: "/switcher",
  /** How the hub looks to this person. */
  settings: "/settings",
  manifest: "/manifest.webmanifest",
  /** At the root, so that it may answer for every page of the hub. */
  serviceWorker: "/service-worker.js",
  offline: "/offline",
  tokens: "/tokens",
  /** Makes a token and answers with the command that uses it, as a piece of a page. */
  newToken: "/tokens/new",
  revokeToken: (tokenId: string) => `/tokens/${tokenId}/revoke`,
  rotateToken: (tokenId: string) => `/tokens/${tokenId}/rotate`,
  apiTokens: "/api/tokens",
  apiToken: (tokenId: string) => `/api/tokens/${tokenId}`,
  rotateApiToken: (tokenId: string) => `/api/tokens/${tokenId}/rotate`,
  /** The sign-ins of a person. */
  sessions: "/sessions",
  endSession: (sessionId: string) => `/sessions/${sessionId}/end`,
  endAllSessions: "/sessions/end-all",
  signIn: "/auth/sign-in",
  signOut: "/auth/logout",
  localSignIn: "/auth/local",
  gitHubSignIn: "/auth/github",
  gitHubCallback: "/auth/github/callback",
  gitHubWebhooks: "/webhooks/github",
  /** Making the GitHub App, until there is one. */
  setup: "/setup",
  /** Where GitHub sends the browser once the App is made. */
  setupCreated: "/setup/created",
  /** Who may use the hub, for administrators; the same as JSON below /api. */
  access: "/access",
  addAccess: "/access/add",
  removeAccess: "/access/remove",
  whyAccess: "/access/why",
  audit: "/audit",
  /** What the hub uses of what it is billed for, for administrators. */
  usage: "/usage",
  apiAccess: "/api/access",
  apiAccessEntity: (kind: string, id: number | string) => `/api/access/${kind}/${id}`,
  apiWhyAccess: "/api/access/why",
  apiAudit: "/api/audit",
  /** Moves a signed-in browser to an instance's origin: see auth/viewer.ts. */
  open: (label: string) => `/open/${label}`,
  connect: "/ws/connect",
  /** Where an instance without a token waits for one. */
  pending: "/ws/pending",
} as const;

/** One part of a path. A colon may stand in it as it is, and in the patterns of the router it must. */
function segment(text: string): string {
  return encodeURIComponent(text).replaceAll("%3A", ":");
}

/** Paths the hub keeps for itself on every instance's origin. */
export const instanceRoutes = {
  prefix: "/.orchestrator/",
  enter: "/.orchestrator/enter",
  /** 204 while the instance is connected, else 503: asked by the page that waits for it. */
  ready: "/.orchestrator/ready",
  /** The script of the mark in an instance's pages. */
  mark: "/.orchestrator/mark.js",
  /** In path mode only: the script that stands first in an instance's pages, and two of the hub's own pages, for the mark. */
  shim: "/.orchestrator/shim.js",
  switcher: "/.orchestrator/switcher",
  dashboard: "/.orchestrator/dashboard",
  /**
   * A WebSocket for the mark: says `connected` or `away`, at once and whenever that changes. Answers the text of the tunnel's
   * heartbeat (`orchestrator.v2.ping` with `…pong`); `look` has it make sure that the instance is there. Closed with 1008 when the sign-in has ended, with 1013 when there are too many.
   */
  presence: "/.orchestrator/presence",
  /** The hub's own static files, the same on every host. */
  assets: "/.orchestrator/assets/",
} as const;
