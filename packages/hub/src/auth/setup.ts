/**
 * Setting the hub up for GitHub: who holds the printed code makes the GitHub App and becomes the first administrator. Open as
 * long as one of both is missing, and only to the browser that has traded a code for the setup cookie.
 */
import { auditSubject } from "../audit.ts";
import * as v from "valibot";
import { recordAudit } from "../db/audit.ts";
import { saveFirstAdministrator } from "../db/allowed-entities.ts";
import { consumeOneTimeCode, createOneTimeCode } from "../db/one-time-codes.ts";
import type { Env } from "../env.ts";
import { randomSecret, sha256 } from "../secrets.ts";
import { HUB_COOKIE_PREFIX, readCookie, serializeCookie } from "./cookies.ts";
import { loadGitHub, type GitHubApp, type GitHubPlace } from "./github-app.ts";
import { readSignedValue, signValue } from "./keys.ts";
import { loadPolicy } from "./policy-store.ts";
import { placeOf } from "./request-place.ts";

const SETUP_COOKIE = `${HUB_COOKIE_PREFIX}setup`;
/** From the printed link to the first administrator. GitHub gives as long for making an App. */
const SETUP_MS = 60 * 60_000;

/** What is still missing. `done` for as long as somebody administers the hub. */
export type SetupStage =
  | { stage: "off" | "done" | "misconfigured" }
  | { stage: "app"; place: GitHubPlace }
  | { stage: "administrator"; app: GitHubApp };

export async function setupStage(env: Env): Promise<SetupStage> {
  const github = await loadGitHub(env);
  switch (github.state) {
    case "off":
    case "misconfigured":
      return { stage: github.state };
    case "not_set_up":
      return { stage: "app", place: github.place };
    case "ready":
      return (await hasAdministrator(env)) ? { stage: "done" } : { stage: "administrator", app: github.app };
  }
}

/** The `Set-Cookie` for a setup code; null where the code is not good. */
export async function redeemSetupCode(
  env: Env,
  code: string,
  now: number = Date.now(),
): Promise<string | null> {
  const grant = await consumeOneTimeCode(env.DB, { text: code, purpose: "setup" }, now);
  if (grant === null) return null;
  const value = await signValue(env, "setup-cookie", { id: randomSecret(), until: now + SETUP_MS });
  return serializeCookie(SETUP_COOKIE, value, SETUP_MS / 1000);
}

/** The `Set-Cookie` that ends setup in a browser. */
export function endSetup(): string {
  return serializeCookie(SETUP_COOKIE, "", 0);
}

/** Makes the `state` of an App that this browser has made at GitHub. */
export async function createAppState(env: Env, browser: string, now: number = Date.now()): Promise<string> {
  const code = { purpose: "github-app", bindingHash: await sha256(browser), lifetimeMs: SETUP_MS } as const;
  return createOneTimeCode(env.DB, code, now);
}

/** True once, for the browser that the state was made for. */
export async function redeemAppState(
  env: Env,
  state: string,
  browser: string,
  now: number = Date.now(),
): Promise<boolean> {
  const code = { text: state, purpose: "github-app", bindingHash: await sha256(browser) } as const;
  return (await consumeOneTimeCode(env.DB, code, now)) !== null;
}

const Content = v.object({ id: v.string(), until: v.number() });

/** What is this browser's own during setup; null where it has no setup cookie that is good. */
export async function setupBrowser(
  request: Request,
  env: Env,
  now: number = Date.now(),
): Promise<string | null> {
  const text = readCookie(request, SETUP_COOKIE);
  if (text === undefined) return null;
  const content = v.safeParse(Content, await readSignedValue(env, "setup-cookie", text));
  return content.success && now < content.output.until ? content.output.id : null;
}

/** Lets who comes back from GitHub in a browser with the setup cookie administer the hub, where nobody does yet. */
export async function appointFirstAdministrator(
  request: Request,
  env: Env,
  user: { id: number; login: string },
  now: number,
): Promise<boolean> {
  if ((await setupBrowser(request, env, now)) === null || (await hasAdministrator(env))) return false;
  if (!(await saveFirstAdministrator(env.DB, user, now))) return false;
  const who = { userId: `github:${user.id}`, login: user.login, from: placeOf(request) };
  const subject = auditSubject(`user ${user.login}`, user.id);
  await recordAudit(env.DB, { action: "policy_added", ...who, subject, reason: "setup" }, now);
  return true;
}

async function hasAdministrator(env: Env): Promise<boolean> {
  const { entities } = await loadPolicy(env);
  return entities.some(({ role }) => role === "admin");
}
