/**
 * The way of a browser through GitHub and back. `state` works once and only in the browser that began, which has a nonce of
 * its own; the PKCE verifier follows from both, so nothing but hashes is stored. Several tabs may be on their way at once.
 */
import * as v from "valibot";
import { consumeOneTimeCode, createOneTimeCode } from "../db/one-time-codes.ts";
import type { Env } from "../env.ts";
import { routes } from "../routes.ts";
import { randomSecret, sha256 } from "../secrets.ts";
import { HUB_COOKIE_PREFIX, readCookie, serializeCookie } from "./cookies.ts";
import type { GitHubApp } from "./github-app.ts";
import { authorizationUrl, exchangeCode, type GrantAnswer } from "./github-oauth.ts";
import { sign } from "./keys.ts";

type FlowEnv = Pick<Env, "DB" | "HUB_SECRET" | "HUB_ORIGIN">;

const OAUTH_COOKIE = `${HUB_COOKIE_PREFIX}oauth`;
/** As long as GitHub's codes work. */
const FLOW_MS = 10 * 60_000;
const NONCE = /^[A-Za-z0-9_-]{43}$/;

const Callback = v.union([
  v.object({
    state: v.pipe(v.string(), v.regex(NONCE)),
    code: v.pipe(v.string(), v.regex(/^[\w-]{1,200}$/)),
  }),
  v.object({ state: v.pipe(v.string(), v.regex(NONCE)), error: v.pipe(v.string(), v.regex(/^\w{1,100}$/)) }),
]);

/** Where to send the browser, and the cookie by which it is known when it comes back. */
export async function beginFlow(
  request: Request,
  env: FlowEnv,
  flow: { app: GitHubApp; chooseAccount: boolean },
  now: number = Date.now(),
): Promise<{ url: string; cookie: string }> {
  const nonce = nonceOf(request) ?? randomSecret();
  const bindingHash = await sha256(nonce);
  const state = await createOneTimeCode(env.DB, { purpose: "github", bindingHash, lifetimeMs: FLOW_MS }, now);
  const url = await authorizationUrl(flow.app, {
    redirectUri: redirectUri(env),
    state,
    verifier: await verifierOf(env, nonce, state),
    chooseAccount: flow.chooseAccount,
  });
  return { url, cookie: serializeCookie(OAUTH_COOKIE, nonce, FLOW_MS / 1000) };
}

/**
 * What a browser has come back with. `stale`: it did not begin here, or too long ago, or has been here before. `refused`:
 * GitHub's word, `access_denied` where the person did not agree.
 */
export async function finishFlow(
  request: Request,
  env: FlowEnv,
  app: GitHubApp,
  now: number = Date.now(),
): Promise<GrantAnswer | { stale: true }> {
  const query = new URL(request.url).searchParams;
  const callback = v.safeParse(Callback, Object.fromEntries(query));
  const nonce = nonceOf(request);
  if (!callback.success || nonce === undefined) return { stale: true };
  const { state } = callback.output;
  const bindingHash = await sha256(nonce);
  const begun = await consumeOneTimeCode(env.DB, { text: state, purpose: "github", bindingHash }, now);
  if (begun === null) return { stale: true };
  const verifier = await verifierOf(env, nonce, state);
  return exchangeCode(app, { query, redirectUri: redirectUri(env), verifier }, now);
}

function redirectUri(env: FlowEnv): string {
  return `${env.HUB_ORIGIN}${routes.gitHubCallback}`;
}

function verifierOf(env: FlowEnv, nonce: string, state: string): Promise<string> {
  return sign(env, "pkce-verifier", `${nonce}.${state}`);
}

function nonceOf(request: Request): string | undefined {
  const nonce = readCookie(request, OAUTH_COOKIE);
  return nonce !== undefined && NONCE.test(nonce) ? nonce : undefined;
}
