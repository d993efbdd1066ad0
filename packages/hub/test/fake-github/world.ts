/** The people, organisations, teams and Apps of a fake GitHub, as plain data with the rules that GitHub itself keeps. */

import type { Manifest } from "./manifest.ts";

export type MemberState = "active" | "pending";

export interface User {
  id: number;
  login: string;
  name: string | null;
}

export interface Organization {
  id: number;
  login: string;
  members: Map<number, MemberState>;
  /** People who only manage its bills, who are no members though GitHub's API tells of them alike. */
  billingManagers: Set<number>;
  /** Members are told only to tokens that were made during a single sign-on session. */
  requiresSso: boolean;
  /** People with such a session now. */
  ssoSessions: Set<number>;
}

export interface Team {
  id: number;
  slug: string;
  organizationId: number;
  members: Set<number>;
}

export interface App {
  id: number;
  slug: string;
  name: string;
  htmlUrl: string;
  clientId: string;
  clientSecret: string;
  webhookSecret: string;
  /** Exactly these may stand in `redirect_uri`. */
  callbackUrls: string[];
  webhookUrl: string;
  /** Login of the account it belongs to; it alone can install an App that is not public. */
  owner: string;
  public: boolean;
  /** Organisations it is installed on. */
  installedOn: Set<number>;
  /** The manifest it was made of, where it was. */
  manifest?: Manifest;
}

export class World {
  readonly users: User[] = [];
  readonly organizations: Organization[] = [];
  readonly teams: Team[] = [];
  readonly apps: App[] = [];
  #lastId = 1000;

  nextId(): number {
    return ++this.#lastId;
  }

  /** Logins mean the same in any case, and users and organisations share them. */
  isTaken(login: string): boolean {
    return this.findUser(login) !== undefined || this.findOrganization(login) !== undefined;
  }

  findUser(login: string): User | undefined {
    return this.users.find((user) => same(user.login, login));
  }

  findOrganization(login: string): Organization | undefined {
    return this.organizations.find((organization) => same(organization.login, login));
  }

  findTeam(organization: Organization, slug: string): Team | undefined {
    return this.teams.find((team) => team.organizationId === organization.id && same(team.slug, slug));
  }

  findApp(clientId: string): App | undefined {
    return this.apps.find((app) => app.clientId === clientId);
  }

  user(login: string): User {
    return this.findUser(login) ?? missing("user", login);
  }

  organization(login: string): Organization {
    return this.findOrganization(login) ?? missing("organisation", login);
  }

  team(organization: string, slug: string): Team {
    return this.findTeam(this.organization(organization), slug) ?? missing("team", slug);
  }
}

function same(a: string, b: string): boolean {
  return a.toLowerCase() === b.toLowerCase();
}

function missing(what: string, name: string): never {
  throw new Error(`This GitHub has no ${what} ${name}.`);
}
