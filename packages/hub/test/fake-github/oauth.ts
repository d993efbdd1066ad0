/** Authorization codes, access tokens and refresh tokens of the fake GitHub: each single use, expiring, bound. */
import { randomSecret, sha256 } from "../../src/secrets.ts";
import type { App, User, World } from "./world.ts";

const CODE_MS = 10 * 60_000;
const ACCESS_SECONDS = 8 * 60 * 60;
const REFRESH_SECONDS = 15_897_600;

interface Code {
  clientId: string;
  redirectUri: string;
  challenge: string;
  userId: number;
  expiresAt: number;
  /** The grant it was exchanged for. */
  grant?: Grant;
}

/** What one authorization led to: a chain of token pairs of which only the last works. */
export interface Grant {
  clientId: string;
  userId: number;
  /** Organisations whose single sign-on the person had done when they authorized. */
  ssoFor: Set<number>;
  accessToken: string;
  accessExpiresAt: number;
  refreshToken: string;
  refreshExpiresAt: number;
  revoked: boolean;
}

export interface AuthorizationRequest {
  app: App;
  redirectUri: string;
  state: string;
  challenge: string;
}

export class OAuth {
  readonly #world: World;
  readonly #now: () => number;
  readonly #codes = new Map<string, Code>();
  readonly #byAccess = new Map<string, Grant>();
  readonly #byRefresh = new Map<string, Grant>();
  /** `<client id> <user id>` of people who have agreed once: they are not asked again. */
  readonly #agreed = new Set<string>();

  constructor(world: World, now: () => number) {
    this.#world = world;
    this.#now = now;
  }

  hasAgreed(app: App, user: User): boolean {
    return this.#agreed.has(`${app.clientId} ${user.id}`);
  }

  /** The redirect back after "Authorize". */
  authorize(request: AuthorizationRequest, user: User): URL {
    this.#agreed.add(`${request.app.clientId} ${user.id}`);
    const code = randomSecret(10);
    const { clientId } = request.app;
    const { redirectUri, challenge, state } = request;
    this.#codes.set(code, {
      clientId,
      redirectUri,
      challenge,
      userId: user.id,
      expiresAt: this.#now() + CODE_MS,
    });
    const url = new URL(redirectUri);
    url.searchParams.set("code", code);
    if (state !== "") url.searchParams.set("state", state);
    return url;
  }

  /** The grant behind an access token that works now. */
  grantOf(accessToken: string): Grant | undefined {
    const grant = this.#byAccess.get(accessToken);
    if (grant === undefined || grant.revoked || grant.accessToken !== accessToken) return undefined;
    return grant.accessExpiresAt > this.#now() ? grant : undefined;
  }

  /** The person withdraws the App's authorization. */
  revokeAll(userId: number): void {
    for (const grant of this.#byAccess.values()) if (grant.userId === userId) grant.revoked = true;
    for (const key of this.#agreed) if (key.endsWith(` ${userId}`)) this.#agreed.delete(key);
  }

  /** Answers the token endpoint; GitHub says 200 to errors too. */
  async token(parameters: URLSearchParams): Promise<Record<string, string | number>> {
    const app = this.#world.findApp(parameters.get("client_id") ?? "");
    if (app === undefined || parameters.get("client_secret") !== app.clientSecret) {
      return failure(
        "incorrect_client_credentials",
        "The client_id and/or client_secret passed are incorrect.",
      );
    }
    const grantType = parameters.get("grant_type") ?? "authorization_code";
    if (grantType === "refresh_token") return this.#refresh(app, parameters.get("refresh_token") ?? "");
    if (grantType === "authorization_code") return this.#exchange(app, parameters);
    return failure("unsupported_grant_type", "The grant type is not supported.");
  }

  async #exchange(app: App, parameters: URLSearchParams): Promise<Record<string, string | number>> {
    const bad = failure("bad_verification_code", "The code passed is incorrect or expired.");
    const text = parameters.get("code") ?? "";
    const code = this.#codes.get(text);
    if (code === undefined || code.clientId !== app.clientId) return bad;
    // Presented a second time: somebody has a copy, so what it gave is worth nothing any more.
    if (code.grant !== undefined) code.grant.revoked = true;
    const isLive = code.expiresAt > this.#now();
    code.expiresAt = 0;
    if (!isLive) return bad;
    if (parameters.get("redirect_uri") !== code.redirectUri) {
      const means = "The redirect_uri MUST match the registered callback URL for this application.";
      return failure("redirect_uri_mismatch", means);
    }
    if ((await sha256(parameters.get("code_verifier") ?? "")) !== code.challenge) return bad;
    code.grant = this.issue(app, code.userId);
    return this.#answer(code.grant);
  }

  /** Tokens for a person who has agreed. */
  issue(app: App, userId: number): Grant {
    const sessions = this.#world.organizations.filter(({ ssoSessions }) => ssoSessions.has(userId));
    const grant: Grant = {
      clientId: app.clientId,
      userId,
      ssoFor: new Set(sessions.map(({ id }) => id)),
      accessToken: "",
      accessExpiresAt: 0,
      refreshToken: "",
      refreshExpiresAt: 0,
      revoked: false,
    };
    this.#renew(grant);
    return grant;
  }

  #refresh(app: App, refreshToken: string): Record<string, string | number> {
    const bad = failure("bad_refresh_token", "The refresh token passed is incorrect or expired.");
    const grant = this.#byRefresh.get(refreshToken);
    if (grant === undefined || grant.clientId !== app.clientId || grant.revoked) return bad;
    if (grant.refreshToken !== refreshToken) {
      grant.revoked = true;
      return bad;
    }
    if (grant.refreshExpiresAt <= this.#now()) return bad;
    this.#renew(grant);
    return this.#answer(grant);
  }

  #renew(grant: Grant): void {
    grant.accessToken = `ghu_${randomSecret(27)}`;
    grant.accessExpiresAt = this.#now() + ACCESS_SECONDS * 1000;
    grant.refreshToken = `ghr_${randomSecret(57)}`;
    grant.refreshExpiresAt = this.#now() + REFRESH_SECONDS * 1000;
    this.#byAccess.set(grant.accessToken, grant);
    this.#byRefresh.set(grant.refreshToken, grant);
  }

  #answer(grant: Grant): Record<string, string | number> {
    return {
      access_token: grant.accessToken,
      expires_in: ACCESS_SECONDS,
      refresh_token: grant.refreshToken,
      refresh_token_expires_in: REFRESH_SECONDS,
      token_type: "bearer",
      scope: "",
    };
  }
}

function failure(error: string, description: string): Record<string, string> {
  const uri = `https://docs.github.com/apps/managing-oauth-apps/troubleshooting#${error.replaceAll("_", "-")}`;
  return { error, error_description: description, error_uri: uri };
}
