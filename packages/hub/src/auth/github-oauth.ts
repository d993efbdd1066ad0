/** Signing in at GitHub: where the browser is sent, and what its code and later its refresh token are exchanged for. */
import * as oauth from "oauth4webapi";
import type { GitHubGrant } from "../contracts.ts";
import type { GitHubApp } from "./github-app.ts";
import { askGitHub, type Away } from "./github-http.ts";
import { log } from "../log.ts";

/** `refused`: GitHub's word for what is wrong with the code or the token, which is worth nothing from then on. */
export type GrantAnswer = { ok: GitHubGrant } | { refused: string } | Away;

/** What GitHub says where nothing is wrong with the code or token but with this hub's App. */
const APP_ERRORS: ReadonlySet<string> = new Set([
  "incorrect_client_credentials",
  "redirect_uri_mismatch",
  "application_suspended",
  "unsupported_grant_type",
]);

export interface AuthorizationRequest {
  redirectUri: string;
  state: string;
  /** 43 to 128 characters of base64url, known to nobody but the hub until the code is exchanged. */
  verifier: string;
  /** Lets the person choose another account than the one they use at GitHub now. */
  chooseAccount: boolean;
}

/** Where the browser goes to agree. */
export async function authorizationUrl(app: GitHubApp, request: AuthorizationRequest): Promise<string> {
  const url = new URL(`${app.url}/login/oauth/authorize`);
  const parameters = {
    client_id: app.clientId,
    redirect_uri: request.redirectUri,
    state: request.state,
    code_challenge: await oauth.calculatePKCECodeChallenge(request.verifier),
    code_challenge_method: "S256",
    ...(request.chooseAccount ? { prompt: "select_account" } : {}),
  };
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, value);
  return url.href;
}

/** Exchanges the code in a callback's query, whose `state` the caller has found to be its own. */
export async function exchangeCode(
  app: GitHubApp,
  callback: { query: URLSearchParams; redirectUri: string; verifier: string },
  now: number,
): Promise<GrantAnswer> {
  return grantFrom(now, async () => {
    const { server, client, authentication } = parties(app);
    const query = oauth.validateAuthResponse(server, client, callback.query, oauth.skipStateCheck);
    const { redirectUri, verifier } = callback;
    const response = await oauth.authorizationCodeGrantRequest(
      server,
      client,
      authentication,
      query,
      redirectUri,
      verifier,
      options,
    );
    return oauth.processAuthorizationCodeResponse(server, client, response);
  });
}

/** New tokens for a refresh token, which works once: whatever comes of it, do not use it again unless GitHub was away. */
export async function refreshGrant(app: GitHubApp, refreshToken: string, now: number): Promise<GrantAnswer> {
  return grantFrom(now, async () => {
    const { server, client, authentication } = parties(app);
    const response = await oauth.refreshTokenGrantRequest(
      server,
      client,
      authentication,
      refreshToken,
      options,
    );
    return oauth.processRefreshTokenResponse(server, client, response);
  });
}

/** `issuer` is what GitHub calls itself in the `iss` of a callback; one without it is taken as well. */
function parties({ url, clientId, clientSecret }: GitHubApp) {
  return {
    server: { issuer: `${url}/login/oauth`, token_endpoint: `${url}/login/oauth/access_token` },
    client: { client_id: clientId },
    authentication: oauth.ClientSecretPost(clientSecret),
  };
}

/** Thrown through the library where GitHub does not answer. */
class GitHubAway extends Error {
  readonly answer: Away;
  constructor(answer: Away) {
    super(answer.away);
    this.answer = answer;
  }
}

/** The library as GitHub needs it: http where github-app.ts takes it, which is on this machine, and errors as errors, which GitHub sends with 200. */
const options = {
  // oxlint-disable-next-line typescript/no-deprecated -- marked so that it stands out; nothing is to be replaced
  [oauth.allowInsecureRequests]: true,
  [oauth.customFetch]: async (
    url: string,
    { method, headers, body }: oauth.CustomFetchOptions<"POST", URLSearchParams>,
  ): Promise<Response> => {
    const answer = await askGitHub(url, { method, headers, body: body.toString() });
    if ("away" in answer) throw new GitHubAway(answer);
    const isError = /"error"\s*:/.test(answer.text);
    const status = isError && answer.status === 200 ? 400 : answer.status;
    return new Response(answer.text, { status, headers: { "content-type": "application/json" } });
  },
};

async function grantFrom(now: number, ask: () => Promise<oauth.TokenEndpointResponse>): Promise<GrantAnswer> {
  try {
    return toGrant(await ask(), now);
  } catch (error) {
    return toFailure(error);
  }
}

/** An App whose tokens do not expire gives no refresh token: then there is nothing to refresh, ever. */
function toGrant(answer: oauth.TokenEndpointResponse, now: number): GrantAnswer {
  const { access_token: accessToken, expires_in: seconds, refresh_token: refreshToken = "" } = answer;
  const refreshSeconds = Number(answer["refresh_token_expires_in"] ?? 0);
  if (!Number.isFinite(refreshSeconds)) return { away: "answer not understood" };
  return {
    ok: {
      accessToken,
      accessExpiresAt: seconds === undefined ? Number.MAX_SAFE_INTEGER : now + seconds * 1000,
      refreshToken,
      refreshExpiresAt: refreshToken === "" ? 0 : now + refreshSeconds * 1000,
    },
  };
}

function toFailure(error: unknown): GrantAnswer {
  if (error instanceof GitHubAway) return error.answer;
  if (error instanceof oauth.AuthorizationResponseError) return { refused: error.error };
  if (error instanceof oauth.ResponseBodyError) {
    if (!APP_ERRORS.has(error.error)) return { refused: error.error };
    log("github_app_refused", { reason: error.error });
    return { away: error.error };
  }
  // The library could not make sense of the answer.
  if (error instanceof oauth.OperationProcessingError || error instanceof oauth.UnsupportedOperationError) {
    return { away: "answer not understood" };
  }
  throw error;
}
