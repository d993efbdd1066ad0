/** The pages of the fake GitHub that a person clicks through: agreeing, single sign-on, making and installing an App. */
import type { Manifest, Manifests } from "./manifest.ts";
import type { AuthorizationRequest, OAuth } from "./oauth.ts";
import { formOf } from "./rest.ts";
import type { App, User, World } from "./world.ts";

/** Who is signed in at this GitHub, in this browser. */
const COOKIE = "fake_github_login";

type Handler = (site: Site, request: PageRequest) => Response | Promise<Response>;

interface PageRequest {
  url: URL;
  parts: string[];
  /** The posted form; empty for a GET. */
  form: URLSearchParams;
  browserUser: User | undefined;
}

const ROUTES: [method: string, path: RegExp, handler: Handler][] = [
  ["GET", /^\/login\/oauth\/authorize$/, (site, request) => site.authorizePage(request)],
  ["POST", /^\/login\/oauth\/authorize$/, (site, request) => site.authorizeDecision(request)],
  ["GET", /^\/favicon\.ico$/, () => new Response(null, { status: 204 })],
  ["GET", /^\/orgs\/([^/]+)\/sso$/, (site, request) => site.ssoPage(request)],
  ["POST", /^\/orgs\/([^/]+)\/sso$/, (site, request) => site.startSso(request)],
  ["POST", /^\/settings\/apps\/new$/, (site, request) => site.manifestPage(request)],
  ["POST", /^\/organizations\/([^/]+)\/settings\/apps\/new$/, (site, request) => site.manifestPage(request)],
  ["GET", /^\/github-apps\/([^/]+)\/installations\/new$/, (site, request) => site.installPage(request)],
  ["POST", /^\/github-apps\/([^/]+)\/installations\/new$/, (site, request) => site.install(request)],
];

export class Site {
  readonly #world: World;
  readonly #oauth: OAuth;
  readonly #manifests: Manifests;

  constructor(world: World, oauth: OAuth, manifests: Manifests) {
    this.#world = world;
    this.#oauth = oauth;
    this.#manifests = manifests;
  }

  /** Undefined where there is no such page. */
  async answer(request: Request): Promise<Response | undefined> {
    const url = new URL(request.url);
    for (const [method, pattern, handler] of ROUTES) {
      const match = pattern.exec(url.pathname);
      if (match === null || method !== request.method) continue;
      const form = method === "POST" ? await formOf(request) : new URLSearchParams();
      const parts = match.slice(1).map(decodeURIComponent);
      return handler(this, { url, parts, form, browserUser: this.#userOf(request) });
    }
    return undefined;
  }

  authorizePage({ url, browserUser }: PageRequest): Response {
    const request = this.#authorizationRequest(url.searchParams);
    if (request instanceof Response) return request;
    const chooses = url.searchParams.get("prompt") === "select_account";
    // Who has agreed before is sent back without a word, as GitHub does.
    if (browserUser !== undefined && !chooses && this.#oauth.hasAgreed(request.app, browserUser)) {
      return redirect(withIssuer(this.#oauth.authorize(request, browserUser), url));
    }
    return page(
      `Authorize ${request.app.name}`,
      `<form method="post" action="/login/oauth/authorize">
${[...url.searchParams].map(([name, value]) => hidden(name, value)).join("\n")}
${this.#userField(browserUser)}
<button name="decision" value="authorize">Authorize</button>
<button name="decision" value="cancel">Cancel</button>
</form>`,
    );
  }

  authorizeDecision({ url, form }: PageRequest): Response {
    const request = this.#authorizationRequest(form);
    if (request instanceof Response) return request;
    if (form.get("decision") !== "authorize") {
      const target = new URL(request.redirectUri);
      target.searchParams.set("error", "access_denied");
      target.searchParams.set("error_description", "The user has denied your application access.");
      target.searchParams.set(
        "error_uri",
        "/apps/building-oauth-apps/troubleshooting-authorization-request-errors",
      );
      if (request.state !== "") target.searchParams.set("state", request.state);
      return redirect(withIssuer(target, url));
    }
    const user = this.#world.user(form.get("user") ?? "");
    return redirect(withIssuer(this.#oauth.authorize(request, user), url), user);
  }

  #authorizationRequest(parameters: URLSearchParams): AuthorizationRequest | Response {
    const app = this.#world.findApp(parameters.get("client_id") ?? "");
    if (app === undefined) return page("Page not found", "There is no such App.", 404);
    const redirectUri = parameters.get("redirect_uri") ?? "";
    const state = parameters.get("state") ?? "";
    if (!app.callbackUrls.includes(redirectUri)) {
      return page("Be careful", "The redirect_uri is not associated with this application.", 400);
    }
    const challenge = parameters.get("code_challenge") ?? "";
    if (parameters.get("code_challenge_method") !== "S256" || !/^[A-Za-z0-9_-]{43}$/.test(challenge)) {
      return page("Bad request", "This GitHub wants a code_challenge, by S256.", 400);
    }
    return { app, redirectUri, state, challenge };
  }

  ssoPage({ url, parts: [login = ""], browserUser }: PageRequest): Response {
    const organization = this.#world.organization(login);
    return page(
      `Single sign-on to ${organization.login}`,
      `<form method="post" action="${escape(url.pathname)}">${this.#userField(browserUser)}<button>Continue</button></form>`,
    );
  }

  startSso({ parts: [login = ""], form }: PageRequest): Response {
    const user = this.#world.user(form.get("user") ?? "");
    this.#world.organization(login).ssoSessions.add(user.id);
    return page("Single sign-on", `You are signed in to ${escape(login)}.`);
  }

  /** The page that asks before an App is made, and what its button leads to. */
  manifestPage(request: PageRequest): Response {
    const { url, parts, form, browserUser } = request;
    const manifest = this.#manifests.parse(form);
    if (typeof manifest === "string") return page("Invalid GitHub App configuration", escape(manifest), 422);
    const [organization] = parts;
    if (organization !== undefined && this.#world.findOrganization(organization) === undefined) {
      return page("Page not found", "There is no such organisation.", 404);
    }
    if (form.get("decision") === "create") return this.#createApp(manifest, request);
    return page(
      "Create GitHub App",
      `<p>${escape(manifest.name)} for ${escape(organization ?? "your account")}</p>
<form method="post" action="${escape(`${url.pathname}${url.search}`)}">
${hidden("manifest", form.get("manifest") ?? "")}
${this.#userField(browserUser)}
<button name="decision" value="create">Create GitHub App</button>
</form>`,
    );
  }

  #createApp(manifest: Manifest, { url, parts: [organization], form }: PageRequest): Response {
    const user = this.#world.user(form.get("user") ?? "");
    const target = this.#manifests.create(
      manifest,
      organization ?? user.login,
      url.searchParams.get("state"),
    );
    return redirect(target, user);
  }

  installPage({ url, parts: [slug = ""] }: PageRequest): Response {
    const app = this.#appBySlug(slug);
    if (app === undefined) return page("Page not found", "There is no such App.", 404);
    const accounts = this.#world.organizations.filter(({ login }) => app.public || login === app.owner);
    return page(
      `Install ${app.name}`,
      `<form method="post" action="${escape(url.pathname)}">
<select name="organization">${accounts.map(({ login }) => `<option>${escape(login)}</option>`).join("")}</select>
<button>Install</button>
</form>`,
    );
  }

  install({ parts: [slug = ""], form }: PageRequest): Response {
    const organization = this.#world.findOrganization(form.get("organization") ?? "");
    const app = this.#appBySlug(slug);
    if (app === undefined || organization === undefined) return page("Page not found", "", 404);
    app.installedOn.add(organization.id);
    const setupUrl = app.manifest?.setup_url;
    if (setupUrl === undefined)
      return page("Installed", `${escape(app.name)} is installed on ${escape(organization.login)}.`);
    const target = new URL(setupUrl);
    target.searchParams.set("installation_id", String(organization.id));
    target.searchParams.set("setup_action", "install");
    return redirect(target);
  }

  #appBySlug(slug: string): App | undefined {
    return this.#world.apps.find((app) => app.slug === slug);
  }

  #userOf(request: Request): User | undefined {
    const [, login] = new RegExp(`(?:^|; )${COOKIE}=([^;]+)`).exec(request.headers.get("cookie") ?? "") ?? [];
    return login === undefined ? undefined : this.#world.findUser(decodeURIComponent(login));
  }

  #userField(chosen: User | undefined): string {
    const options = this.#world.users.map(({ login }) => {
      return `<option${login === chosen?.login ? " selected" : ""}>${escape(login)}</option>`;
    });
    return `<label>Account <select name="user">${options.join("")}</select></label>`;
  }
}

/** GitHub says who it is in what it sends back (RFC 9207). */
function withIssuer(target: URL, { origin }: URL): URL {
  target.searchParams.set("iss", `${origin}/login/oauth`);
  return target;
}

function redirect(target: URL, user?: User): Response {
  const headers = new Headers({ location: target.href });
  if (user !== undefined) {
    headers.set("set-cookie", `${COOKIE}=${encodeURIComponent(user.login)}; Path=/; HttpOnly; SameSite=Lax`);
  }
  return new Response(null, { status: 302, headers });
}

function page(title: string, body: string, status = 200): Response {
  const html = `<!doctype html><html lang="en"><title>${escape(title)}</title><h1>${escape(title)}</h1>${body}</html>`;
  return new Response(html, { status, headers: { "content-type": "text/html; charset=utf-8" } });
}

function hidden(name: string, value: string): string {
  return `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`;
}

function escape(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");
}
