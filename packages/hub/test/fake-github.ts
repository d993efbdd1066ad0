/**
 * A GitHub for tests, stricter than the real one: codes and refresh tokens work once, PKCE is checked, tokens expire by its own
 * clock, lists come in small pages. Web platform only: a test in workerd stubs `fetch` with it, `e2e/github/server.ts` puts
 * it behind a port. Where it behaves otherwise than GitHub, it does so to catch more.
 */
import { randomSecret } from "../src/secrets.ts";
import { Manifests } from "./fake-github/manifest.ts";
import { OAuth, type Grant } from "./fake-github/oauth.ts";
import { fail, type Outage } from "./fake-github/outage.ts";
import { formOf, json, notFound, refuseClient, Rest } from "./fake-github/rest.ts";
import { Site } from "./fake-github/site.ts";
import { World, type App, type MemberState } from "./fake-github/world.ts";

export interface FakeGitHubOptions {
  /** Where it is, e.g. `http://127.0.0.1:9200`. */
  origin: string;
  /** The hub's origin: where its App calls back and sends webhooks. */
  hub?: string;
  now?: () => number;
  /** Items on a page of a list at most, whatever is asked for. */
  pageSize?: number;
  /** How long `outage = "slow"` takes to answer. */
  slowMs?: number;
}

export class FakeGitHub {
  readonly url: string;
  readonly apiUrl: string;
  /** The App that the settings of the hub name; others may be made from manifests. */
  readonly app: App;
  readonly oauth: OAuth;
  outage: Outage = "none";
  /** Every request so far, with its query. */
  readonly requests: { method: string; path: string; status: number }[] = [];
  /** `<method> <path>` of what nobody answers here: a test that expects no surprises expects this empty. */
  readonly unknown: string[] = [];
  readonly #world = new World();
  readonly #rest: Rest;
  readonly #site: Site;
  readonly #manifests: Manifests;
  readonly #slowMs: number;
  readonly #baseNow: () => number;
  #offsetMs = 0;

  constructor({ origin, hub = "http://hub.localhost:8787", ...options }: FakeGitHubOptions) {
    this.url = origin;
    this.apiUrl = `${origin}/api/v3`;
    this.#baseNow = options.now ?? Date.now;
    this.#slowMs = options.slowMs ?? 30_000;
    this.app = defaultApp(origin, hub);
    this.#world.apps.push(this.app);
    const now = () => this.now();
    this.oauth = new OAuth(this.#world, now);
    const settings = { origin, apiUrl: this.apiUrl, pageSize: options.pageSize ?? 2 };
    this.#rest = new Rest(this.#world, this.oauth, settings);
    this.#manifests = new Manifests(this.#world, origin, now);
    this.#site = new Site(this.#world, this.oauth, this.#manifests);
  }

  /** What tells a hub to sign in here, with the App that is here from the start. */
  get settings() {
    const { clientId, clientSecret, webhookSecret } = this.app;
    return {
      GITHUB_SIGN_IN: "enabled",
      GITHUB_URL: this.url,
      GITHUB_API_URL: this.apiUrl,
      GITHUB_CLIENT_ID: clientId,
      GITHUB_CLIENT_SECRET: clientSecret,
      GITHUB_WEBHOOK_SECRET: webhookSecret,
    };
  }

  /** Milliseconds since the epoch, by GitHub's clock. */
  now(): number {
    return this.#baseNow() + this.#offsetMs;
  }

  /** Lets GitHub's clock run ahead. */
  advance(milliseconds: number): void {
    this.#offsetMs += milliseconds;
  }

  /** Every App, the one of the settings first. */
  get apps(): readonly App[] {
    return this.#world.apps;
  }

  addUser(login: string, name: string | null = null): { id: number; login: string } {
    this.#refuseTaken(login);
    const user = { id: this.#world.nextId(), login, name };
    this.#world.users.push(user);
    return { id: user.id, login };
  }

  addOrganization(login: string): { id: number; login: string } {
    this.#refuseTaken(login);
    const id = this.#world.nextId();
    const people = { members: new Map(), billingManagers: new Set<number>(), ssoSessions: new Set<number>() };
    this.#world.organizations.push({ id, login, requiresSso: false, ...people });
    return { id, login };
  }

  addTeam(organization: string, slug: string): { id: number; slug: string } {
    const id = this.#world.nextId();
    const organizationId = this.#world.organization(organization).id;
    this.#world.teams.push({ id, slug, organizationId, members: new Set() });
    return { id, slug };
  }

  join(organization: string, user: string, state: MemberState = "active"): void {
    this.#world.organization(organization).members.set(this.#world.user(user).id, state);
  }

  /** Manages the organisation's bills from now on, and is no member of it. */
  manageBills(organization: string, user: string): void {
    this.leave(organization, user);
    this.#world.organization(organization).billingManagers.add(this.#world.user(user).id);
  }

  /** Leaves the organisation and its teams. */
  leave(organization: string, user: string): void {
    const { id, members } = this.#world.organization(organization);
    const userId = this.#world.user(user).id;
    members.delete(userId);
    for (const team of this.#world.teams) if (team.organizationId === id) team.members.delete(userId);
  }

  /** Adds to a team; who is not in the organisation is invited to it. */
  joinTeam(organization: string, slug: string, user: string): void {
    const { members } = this.#world.organization(organization);
    const userId = this.#world.user(user).id;
    if (!members.has(userId)) members.set(userId, "pending");
    this.#world.team(organization, slug).members.add(userId);
  }

  leaveTeam(organization: string, slug: string, user: string): void {
    this.#world.team(organization, slug).members.delete(this.#world.user(user).id);
  }

  install(organization: string, app: App = this.app): void {
    app.installedOn.add(this.#world.organization(organization).id);
  }

  uninstall(organization: string, app: App = this.app): void {
    app.installedOn.delete(this.#world.organization(organization).id);
  }

  /** From now on the organisation shows its members only to tokens made during a single sign-on session. */
  requireSso(organization: string, on: boolean): void {
    this.#world.organization(organization).requiresSso = on;
  }

  /** What a person does at the page that `X-GitHub-SSO` names. */
  startSso(organization: string, user: string): void {
    this.#world.organization(organization).ssoSessions.add(this.#world.user(user).id);
  }

  /** Gives a user or an organisation another login; the former one is free from then on. */
  rename(login: string, newLogin: string): void {
    this.#refuseTaken(newLogin);
    const account = this.#world.findUser(login) ?? this.#world.organization(login);
    account.login = newLogin;
  }

  renameTeam(organization: string, slug: string, newSlug: string): void {
    this.#world.team(organization, slug).slug = newSlug;
  }

  /** The person withdraws what they agreed to: every token of theirs is worth nothing. */
  revokeAuthorization(user: string): void {
    this.oauth.revokeAll(this.#world.user(user).id);
  }

  /** Tokens as a sign-in would get them, without the way through a browser. Times are milliseconds since the epoch. */
  grantFor(
    user: string,
  ): Pick<Grant, "accessToken" | "accessExpiresAt" | "refreshToken" | "refreshExpiresAt"> {
    const grant = this.oauth.issue(this.app, this.#world.user(user).id);
    const { accessToken, accessExpiresAt, refreshToken, refreshExpiresAt } = grant;
    return { accessToken, accessExpiresAt, refreshToken, refreshExpiresAt };
  }

  /** What a person does in a browser with an authorize URL; resolves with where GitHub then sends them. */
  async authorize(url: string | URL, login: string, decision = "authorize"): Promise<URL> {
    const asked = await this.fetch(new Request(url));
    if (asked.status !== 200) throw new Error(`GitHub shows ${asked.status}: ${await asked.text()}`);
    const form = new URLSearchParams(new URL(url).search);
    form.set("user", login);
    form.set("decision", decision);
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    const body = form.toString();
    const answer = await this.fetch(
      new Request(`${this.url}/login/oauth/authorize`, { method: "POST", headers, body }),
    );
    return new URL(answer.headers.get("location") ?? "");
  }

  /** A delivery of a webhook as GitHub makes it, signed with the App's secret. */
  async webhook(event: string, payload: unknown, app: App = this.app): Promise<Request> {
    const body = JSON.stringify(payload);
    return new Request(app.webhookUrl, {
      method: "POST",
      headers: {
        "content-type": "application/json",
        "user-agent": "GitHub-Hookshot/0123456",
        "x-github-delivery": crypto.randomUUID(),
        "x-github-event": event,
        "x-github-hook-installation-target-id": String(app.id),
        "x-github-hook-installation-target-type": "integration",
        "x-hub-signature-256": `sha256=${await hmacHex(app.webhookSecret, body)}`,
      },
      body,
    });
  }

  /** Answers as GitHub would; throws as `fetch` does where the outage is `down`. */
  async fetch(request: Request): Promise<Response> {
    const { pathname, search } = new URL(request.url);
    const entry = { method: request.method, path: `${pathname}${search}`, status: 0 };
    this.requests.push(entry);
    const answer = await this.#answer(request, pathname);
    entry.status = answer.status;
    return answer;
  }

  async #answer(request: Request, pathname: string): Promise<Response> {
    const isApi = pathname.startsWith("/api/v3/");
    if (isApi || pathname === "/login/oauth/access_token") {
      const settings = { isApi, slowMs: this.#slowMs, now: this.now() };
      const failed = await fail(this.outage, request, settings);
      if (failed !== undefined) return failed;
    }
    const answer = isApi
      ? this.#answerApi(request, pathname.slice("/api/v3".length))
      : ((await this.#answerToken(request, pathname)) ?? (await this.#site.answer(request)));
    if (answer !== undefined) return answer;
    this.unknown.push(`${request.method} ${pathname}`);
    return notFound();
  }

  #answerApi(request: Request, path: string): Response | undefined {
    const [, code] = /^\/app-manifests\/([^/]+)\/conversions$/.exec(path) ?? [];
    if (code === undefined || request.method !== "POST") return this.#rest.answer(request, path);
    return refuseClient(request) ?? this.#manifests.convert(code);
  }

  async #answerToken(request: Request, pathname: string): Promise<Response | undefined> {
    if (pathname !== "/login/oauth/access_token" || request.method !== "POST") return undefined;
    const answer = await this.oauth.token(await formOf(request));
    if (request.headers.get("accept") === "application/json") return json(answer);
    const entries = Object.entries(answer).map(([name, value]) => [name, String(value)] as [string, string]);
    const type = { "content-type": "application/x-www-form-urlencoded; charset=utf-8" };
    return new Response(new URLSearchParams(entries).toString(), { headers: type });
  }

  #refuseTaken(login: string): void {
    if (this.#world.isTaken(login)) throw new Error(`${login} is taken.`);
  }
}

function defaultApp(origin: string, hub: string): App {
  const slug = "orchestrator-for-tests";
  return {
    id: 77,
    slug,
    name: "Orchestrator for tests",
    htmlUrl: `${origin}/github-apps/${slug}`,
    clientId: "Iv23liFakeClientId",
    clientSecret: randomSecret(30),
    webhookSecret: randomSecret(30),
    callbackUrls: [`${hub}/auth/github/callback`],
    webhookUrl: `${hub}/webhooks/github`,
    owner: "app-owner",
    public: true,
    installedOn: new Set(),
  };
}

async function hmacHex(secret: string, text: string): Promise<string> {
  const encoder = new TextEncoder();
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", encoder.encode(secret), algorithm, false, ["sign"]);
  const digest = new Uint8Array(await crypto.subtle.sign("HMAC", key, encoder.encode(text)));
  return [...digest].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
