/**
 * The GitHub App that people sign in with: from the settings, or from the database where setup has put it. Without one nobody
 * can sign in at GitHub; with settings that contradict each other, neither.
 */
import { findGitHubApp, saveGitHubApp } from "../db/github-app.ts";
import type { Env } from "../env.ts";
import { seal, unseal } from "./keys.ts";
import { isLoopbackName } from "./local.ts";
import { log } from "../log.ts";

export type GitHubSettings = Pick<
  Env,
  | "GITHUB_SIGN_IN"
  | "GITHUB_URL"
  | "GITHUB_API_URL"
  | "GITHUB_CLIENT_ID"
  | "GITHUB_CLIENT_SECRET"
  | "GITHUB_WEBHOOK_SECRET"
>;

/** Where GitHub is; neither ends in a slash. */
export interface GitHubPlace {
  /** Where people sign in, e.g. `https://github.com`. */
  url: string;
  /** e.g. `https://api.github.com`, or `https://github.example.com/api/v3`. */
  apiUrl: string;
}

export interface GitHubApp extends GitHubPlace {
  clientId: string;
  clientSecret: string;
  /** Null where GitHub sends this App's hub no webhooks. */
  webhookSecret: string | null;
  /** The App's page at GitHub, where owners of organisations install it; null where the settings name the App. */
  pageUrl: string | null;
}

/** What setup was told of the App it made. */
export type MadeApp = Required<Omit<GitHubApp, keyof GitHubPlace>> & {
  id: number;
  slug: string;
  pageUrl: string;
};

export type GitHubState =
  /** This hub does not sign in with GitHub. */
  | { state: "off" }
  /** There is no App yet. */
  | { state: "not_set_up"; place: GitHubPlace }
  | { state: "ready"; app: GitHubApp }
  /** A sentence for the log that names the setting. */
  | { state: "misconfigured"; problem: string };

const DEFAULT_URL = "https://github.com";
const DEFAULT_API_URL = "https://api.github.com";
/** Whose secrets the stored App's are, in the words of keys.ts. */
const OWNER = "app";

type GitHubEnv = GitHubSettings & Pick<Env, "DB" | "HUB_SECRET">;

/** The App, or null where there is none that works; what is wrong with the settings is logged. */
export async function loadGitHubApp(env: GitHubEnv): Promise<GitHubApp | null> {
  const github = await loadGitHub(env);
  return github.state === "ready" ? github.app : null;
}

/** How this hub stands with GitHub; what is wrong with the settings is logged. */
export async function loadGitHub(env: GitHubEnv): Promise<GitHubState> {
  const github = await findGitHub(env);
  if (github.state === "misconfigured") log("misconfigured", { problem: github.problem });
  return github;
}

async function findGitHub(env: GitHubEnv): Promise<GitHubState> {
  if (env.GITHUB_SIGN_IN !== "enabled") return { state: "off" };
  const place = gitHubPlace(env);
  if (typeof place === "string") return { state: "misconfigured", problem: place };
  const { GITHUB_CLIENT_ID: clientId, GITHUB_CLIENT_SECRET: clientSecret } = env;
  const webhookSecret = env.GITHUB_WEBHOOK_SECRET || null;
  if (clientId && clientSecret) {
    return { state: "ready", app: { ...place, clientId, clientSecret, webhookSecret, pageUrl: null } };
  }
  if (clientId || clientSecret) {
    const problem =
      "GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET go together: set both, or none and use /setup.";
    return { state: "misconfigured", problem };
  }
  return findStored(env, place, webhookSecret);
}

/** Keeps the App that setup has made; false where there is one already. */
export async function storeGitHubApp(
  env: Pick<Env, "DB" | "HUB_SECRET">,
  app: MadeApp,
  now: number,
): Promise<boolean> {
  const { id, slug, pageUrl, clientId, clientSecret, webhookSecret } = app;
  const row = {
    app_id: id,
    slug,
    html_url: pageUrl,
    client_id: clientId,
    client_secret: await seal(env, "github-app", OWNER, clientSecret),
    webhook_secret: await seal(env, "github-app", OWNER, webhookSecret ?? ""),
  };
  return saveGitHubApp(env.DB, row, now);
}

/** `webhookSecret` is the settings', for an App whose webhook was switched on after setup. */
async function findStored(
  env: Pick<Env, "DB" | "HUB_SECRET">,
  place: GitHubPlace,
  webhookSecret: string | null,
): Promise<GitHubState> {
  const row = await findGitHubApp(env.DB);
  if (row === null) return { state: "not_set_up", place };
  const clientSecret = await unseal(env, "github-app", OWNER, row.client_secret);
  const storedWebhookSecret = await unseal(env, "github-app", OWNER, row.webhook_secret);
  if (clientSecret === undefined || storedWebhookSecret === undefined) {
    const problem =
      "The GitHub App in the database was kept with another HUB_SECRET. Bring that back, or set GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET.";
    return { state: "misconfigured", problem };
  }
  const { client_id: clientId, html_url: pageUrl } = row;
  const secret = webhookSecret ?? (storedWebhookSecret || null);
  return { state: "ready", app: { ...place, clientId, clientSecret, webhookSecret: secret, pageUrl } };
}

/** Where the settings say that GitHub is, or what is wrong with them. */
function gitHubPlace(env: GitHubSettings): GitHubPlace | string {
  const url = parsePlace(env.GITHUB_URL || DEFAULT_URL);
  if (url === undefined) return 'GITHUB_URL must be an address such as "https://github.example.com".';
  const isDefault = url === DEFAULT_URL;
  // GitHub Enterprise Server has its API below its own address; people rarely know to say so.
  const apiUrl = parsePlace(env.GITHUB_API_URL || (isDefault ? DEFAULT_API_URL : `${url}/api/v3`));
  if (apiUrl === undefined)
    return 'GITHUB_API_URL must be an address such as "https://github.example.com/api/v3".';
  return { url, apiUrl };
}

/** Secrets travel there: only by https, but for this machine. */
function parsePlace(text: string): string | undefined {
  const url = URL.parse(text);
  if (url === null || url.search !== "" || url.hash !== "" || url.username !== "") return undefined;
  if (url.protocol !== "https:" && !(url.protocol === "http:" && isLoopbackName(url.hostname)))
    return undefined;
  return `${url.origin}${url.pathname}`.replace(/\/+$/, "");
}
