/** Every URL of the hub, once. Pages and tests build paths from here and nowhere else. */
export const routes = {
  home: "/",
  health: "/health",
  dashboard: "/dashboard",
  dashboardSocket: "/dashboard/socket",
  clients: "/clients",
  client: (id: string) => `/clients/${encodeURIComponent(id)}`,
  clientDetails: (id: string) => `/clients/${encodeURIComponent(id)}/details`,
  forgetClient: (id: string) => `/clients/${encodeURIComponent(id)}/forget`,
  tokens: "/tokens",
  /** Makes a token and answers with the command that uses it, as a piece of a page. */
  newToken: "/tokens/new",
  revokeToken: (tokenId: string) => `/tokens/${tokenId}/revoke`,
  apiTokens: "/api/tokens",
  signIn: "/auth/sign-in",
  signOut: "/auth/logout",
  localSignIn: "/auth/local",
  /** Moves a signed-in browser to an instance's origin: see auth/viewer.ts. */
  open: (label: string) => `/open/${label}`,
  connect: "/ws/connect",
} as const;

/** Paths the hub keeps for itself on every instance's origin. */
export const instanceRoutes = {
  prefix: "/.orchestrator/",
  enter: "/.orchestrator/enter",
  /** 204 while the instance is connected, else 503: asked by the page that waits for it. */
  ready: "/.orchestrator/ready",
  /** The hub's own static files, the same on every host. */
  assets: "/.orchestrator/assets/",
} as const;
