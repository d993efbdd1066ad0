/** Every URL of the hub, once. Pages and tests build paths from here and nowhere else. */
export const routes = {
  home: "/",
  health: "/health",
  dashboard: "/dashboard",
  dashboardSocket: "/dashboard/socket",
  clients: "/clients",
  client: (clientId: string) => `/clients/${encodeURIComponent(clientId)}`,
  tokens: "/tokens",
  apiTokens: "/api/tokens",
  signIn: "/auth/sign-in",
  signOut: "/auth/logout",
  localSignIn: "/auth/local",
  /** Moves a signed-in browser to an instance's origin: see auth/viewer-code.ts. */
  open: (label: string) => `/open/${label}`,
  connect: "/ws/connect",
} as const;

/** Paths the hub keeps for itself on every instance's origin. */
export const instanceRoutes = {
  prefix: "/.orchestrator/",
  enter: "/.orchestrator/enter",
} as const;
