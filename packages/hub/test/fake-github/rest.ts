/** The REST API of the fake GitHub: the few endpoints that the hub may use, and how they refuse. */
import type { Grant, OAuth } from "./oauth.ts";
import type { App, MemberState, Organization, Team, User, World } from "./world.ts";

const USER_AGENT_NEEDED =
  "Request forbidden by administrative rules. Please make sure your request has a User-Agent header";
const VERSIONS = ["2022-11-28", "2026-03-10"];

/** Who asks, by a user access token. */
interface Asker {
  user: User;
  app: App;
  grant: Grant;
}

interface Asked {
  url: URL;
  asker: Asker;
  parts: string[];
}

type Handler = (rest: Rest, asked: Asked) => Response;

const ROUTES: [path: RegExp, handler: Handler][] = [
  [/^\/user$/, (rest, { asker }) => json(rest.account(asker.user, "User"))],
  [/^\/users\/([^/]+)$/, (rest, { parts }) => rest.profile(parts)],
  [/^\/orgs\/([^/]+)$/, (rest, { parts }) => rest.organizationProfile(parts)],
  [/^\/user\/memberships\/orgs$/, (rest, asked) => rest.memberships(asked)],
  [/^\/user\/memberships\/orgs\/([^/]+)$/, (rest, asked) => rest.membership(asked)],
  [/^\/user\/teams$/, (rest, asked) => rest.teams(asked)],
  [/^\/orgs\/([^/]+)\/teams\/([^/]+)$/, (rest, asked) => rest.team(asked)],
  [/^\/orgs\/([^/]+)\/teams\/([^/]+)\/memberships\/([^/]+)$/, (rest, asked) => rest.teamMembership(asked)],
];

export class Rest {
  readonly #world: World;
  readonly #oauth: OAuth;
  readonly #origin: string;
  readonly #apiUrl: string;
  readonly #pageSize: number;

  constructor(world: World, oauth: OAuth, settings: { origin: string; apiUrl: string; pageSize: number }) {
    this.#world = world;
    this.#oauth = oauth;
    this.#origin = settings.origin;
    this.#apiUrl = settings.apiUrl;
    this.#pageSize = settings.pageSize;
  }

  /** Undefined where GitHub has no such endpoint, or this fake does not know it. `path` is below the API's URL. */
  answer(request: Request, path: string): Response | undefined {
    if (request.method !== "GET") return undefined;
    const found = ROUTES.map(([pattern, handler]) => ({ match: pattern.exec(path), handler })).find(
      ({ match }) => match !== null,
    );
    if (found === undefined) return undefined;
    const refusal = refuseClient(request);
    if (refusal !== undefined) return refusal;
    const asker = this.#asker(request);
    if (asker === undefined) return problem(401, "Bad credentials");
    const parts = (found.match ?? []).slice(1).map(decodeURIComponent);
    return found.handler(this, { url: new URL(request.url), asker, parts });
  }

  #asker(request: Request): Asker | undefined {
    const [, token = ""] = /^(?:Bearer|token) (\S+)$/i.exec(request.headers.get("authorization") ?? "") ?? [];
    const grant = this.#oauth.grantOf(token);
    const user = this.#world.users.find(({ id }) => id === grant?.userId);
    const app = this.#world.findApp(grant?.clientId ?? "");
    return grant === undefined || user === undefined || app === undefined ? undefined : { user, app, grant };
  }

  account(account: User | Organization, type: "User" | "Organization"): Record<string, unknown> {
    const { id, login } = account;
    const name = "name" in account ? account.name : login;
    return {
      login,
      id,
      type,
      name,
      html_url: `${this.#origin}/${login}`,
      url: `${this.#apiUrl}/users/${login}`,
    };
  }

  profile([login = ""]: string[]): Response {
    const user = this.#world.findUser(login);
    if (user !== undefined) return json(this.account(user, "User"));
    const organization = this.#world.findOrganization(login);
    return organization === undefined ? notFound() : json(this.account(organization, "Organization"));
  }

  organizationProfile([login = ""]: string[]): Response {
    const organization = this.#world.findOrganization(login);
    return organization === undefined ? notFound() : json(this.account(organization, "Organization"));
  }

  memberships({ url, asker }: Asked): Response {
    const state = url.searchParams.get("state");
    if (state !== null && state !== "active" && state !== "pending") {
      return problem(422, "Validation Failed");
    }
    const mine = this.#world.organizations.flatMap((organization) => {
      const member = stateIn(organization, asker.user);
      if (member === undefined || (state !== null && member !== state)) return [];
      return asker.app.installedOn.has(organization.id) ? [{ organization, member }] : [];
    });
    const open = mine.filter(({ organization }) => !needsSso(organization, asker));
    const hidden = mine.filter(({ organization }) => needsSso(organization, asker));
    const items = open.map(({ organization, member }) =>
      this.#membershipOf(organization, asker.user, member),
    );
    return this.#page(
      url,
      items,
      hidden.map(({ organization }) => organization.id),
    );
  }

  membership({ asker, parts: [login = ""] }: Asked): Response {
    const organization = this.#world.findOrganization(login);
    if (organization === undefined) return notFound();
    const refusal = this.#refuse(organization, asker);
    if (refusal !== undefined) return refusal;
    const member = stateIn(organization, asker.user);
    return member === undefined ? notFound() : json(this.#membershipOf(organization, asker.user, member));
  }

  teams({ url, asker }: Asked): Response {
    const mine = this.#world.teams.flatMap((team) => {
      const organization = this.#world.organizations.find(({ id }) => id === team.organizationId);
      if (organization === undefined || !team.members.has(asker.user.id)) return [];
      if (organization.members.get(asker.user.id) !== "active") return [];
      return asker.app.installedOn.has(organization.id) ? [{ team, organization }] : [];
    });
    const open = mine.filter(({ organization }) => !needsSso(organization, asker));
    const hidden = mine.filter(({ organization }) => needsSso(organization, asker));
    const items = open.map(({ team, organization }) => this.#teamOf(team, organization));
    return this.#page(url, items, [...new Set(hidden.map(({ organization }) => organization.id))]);
  }

  team(asked: Asked): Response {
    const found = this.#visibleTeam(asked);
    return found instanceof Response ? found : json(this.#teamOf(found.team, found.organization));
  }

  teamMembership(asked: Asked): Response {
    const found = this.#visibleTeam(asked);
    if (found instanceof Response) return found;
    const { team, organization } = found;
    const user = this.#world.findUser(asked.parts[2] ?? "");
    if (user === undefined || !team.members.has(user.id)) return notFound();
    const url = `${this.#apiUrl}/organizations/${organization.id}/team/${team.id}/memberships/${user.login}`;
    return json({ url, role: "member", state: organization.members.get(user.id) ?? "pending" });
  }

  /** Teams are seen by the organisation's members only. */
  #visibleTeam({
    asker,
    parts: [login = "", slug = ""],
  }: Asked): { team: Team; organization: Organization } | Response {
    const organization = this.#world.findOrganization(login);
    if (organization === undefined) return notFound();
    const refusal = this.#refuse(organization, asker);
    if (refusal !== undefined) return refusal;
    const team = this.#world.findTeam(organization, slug);
    const isSeen = organization.members.get(asker.user.id) === "active" || team?.members.has(asker.user.id);
    return team === undefined || isSeen !== true ? notFound() : { team, organization };
  }

  #refuse(organization: Organization, asker: Asker): Response | undefined {
    if (!asker.app.installedOn.has(organization.id)) {
      return problem(403, "Resource not accessible by integration");
    }
    if (!needsSso(organization, asker)) return undefined;
    const url = `${this.#origin}/orgs/${organization.login}/sso?authorization_request=${asker.user.id}`;
    const message =
      "Resource protected by organization SAML enforcement. You must grant your OAuth token access to this organization.";
    return problem(403, message, { "x-github-sso": `required; url=${url}` });
  }

  #membershipOf(organization: Organization, user: User, state: MemberState): Record<string, unknown> {
    return {
      url: `${this.#apiUrl}/orgs/${organization.login}/memberships/${user.login}`,
      state,
      role: organization.billingManagers.has(user.id) ? "billing_manager" : "member",
      organization: this.account(organization, "Organization"),
      user: this.account(user, "User"),
    };
  }

  #teamOf(team: Team, organization: Organization): Record<string, unknown> {
    const { id, slug } = team;
    return {
      id,
      slug,
      name: slug,
      privacy: "closed",
      organization: this.account(organization, "Organization"),
    };
  }

  /** One page, smaller than was asked for, with a `Link` to the next. */
  #page(url: URL, items: unknown[], hiddenBySso: number[]): Response {
    const page = Number(url.searchParams.get("page") ?? "1");
    const perPage = Math.min(Number(url.searchParams.get("per_page") ?? "30"), this.#pageSize);
    const last = Math.max(1, Math.ceil(items.length / perPage));
    const headers: Record<string, string> = {};
    const link = (to: number, rel: string) => {
      const target = new URL(url);
      target.searchParams.set("page", String(to));
      return `<${target.href}>; rel="${rel}"`;
    };
    if (page < last) headers["link"] = [link(page + 1, "next"), link(last, "last")].join(", ");
    else if (page > 1) headers["link"] = [link(page - 1, "prev"), link(1, "first")].join(", ");
    if (hiddenBySso.length > 0) {
      headers["x-github-sso"] = `partial-results; organizations=${hiddenBySso.join(",")}`;
    }
    return json(items.slice((page - 1) * perPage, page * perPage), 200, headers);
  }
}

/** What GitHub refuses before it looks at who asks. */
export function refuseClient(request: Request): Response | undefined {
  if ((request.headers.get("user-agent") ?? "") === "")
    return new Response(USER_AGENT_NEEDED, { status: 403 });
  const version = request.headers.get("x-github-api-version");
  if (version !== null && !VERSIONS.includes(version)) return problem(400, "Unsupported API version");
  return undefined;
}

/** A posted form. Not by `text()`, of which workerd complains where the type is a form's. */
export async function formOf(request: Request): Promise<URLSearchParams> {
  return new URLSearchParams(new TextDecoder().decode(await request.arrayBuffer()));
}

export function json(value: unknown, status = 200, headers: Record<string, string> = {}): Response {
  const type = { "content-type": "application/json; charset=utf-8" };
  return new Response(JSON.stringify(value), { status, headers: { ...type, ...headers } });
}

export function problem(status: number, message: string, headers: Record<string, string> = {}): Response {
  return json(
    { message, documentation_url: "https://docs.github.com/rest", status: String(status) },
    status,
    headers,
  );
}

export function notFound(): Response {
  return problem(404, "Not Found");
}

/** What GitHub's memberships say of somebody, who may be no member. */
function stateIn({ members, billingManagers }: Organization, { id }: User): MemberState | undefined {
  return billingManagers.has(id) ? "active" : members.get(id);
}

function needsSso(organization: Organization, { grant }: Asker): boolean {
  return organization.requiresSso && !grant.ssoFor.has(organization.id);
}
