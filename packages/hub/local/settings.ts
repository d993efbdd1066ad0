/** Settings of the Worker that people give the runner by its environment. What is not listed does not reach the Worker. */
const NAMES = [
  "GITHUB_SIGN_IN",
  "GITHUB_URL",
  "GITHUB_API_URL",
  "GITHUB_CLIENT_ID",
  "GITHUB_CLIENT_SECRET",
  "GITHUB_WEBHOOK_SECRET",
  "ALLOWED_ORGS",
  "ALLOWED_USERS",
  "ALLOWED_TEAMS",
  "ADMINS",
  "MEMBERSHIP_MAX_AGE_SECONDS",
  "MEMBERSHIP_GRACE_SECONDS",
  "PROOF_MAX_AGE_SECONDS",
  "INSTANCE_HOST",
  "PLAN",
  "MONTHLY_BUDGET_USD",
] as const;

export type HubSettings = Partial<Record<(typeof NAMES)[number], string>>;

/** Those that are set; an empty one is not. */
export function settingsFrom(environment: NodeJS.ProcessEnv): HubSettings {
  const set = NAMES.map((name) => [name, environment[name]] as const).filter(([, value]) => Boolean(value));
  return Object.fromEntries(set);
}

/** The rest of an environment: what the runner starts has no use for the hub's settings, secrets among them. */
export function withoutSettings(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const hubs = new Set<string>([...NAMES, "ORCHESTRATOR_ADMIN_TOKEN"]);
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !hubs.has(name)));
}
