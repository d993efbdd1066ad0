/**
 * The part of the allow-list that stands in the hub's settings: `name:id` with commas between them. Ids decide, because names at
 * GitHub can be given up and taken by somebody else; so a name without its id admits nobody.
 */
import type { Env } from "../env.ts";
import type { AllowedEntity, EntityKind, Role } from "./policy.ts";

export type PolicySettings = Pick<
  Env,
  "ALLOWED_ORGS" | "ALLOWED_USERS" | "ALLOWED_TEAMS" | "ADMINS" | "GITHUB_URL" | "GITHUB_API_URL"
>;

/** Which setting names what, and the role it gives. */
const SETTINGS = [
  { setting: "ADMINS", kind: "user", role: "admin" },
  { setting: "ALLOWED_ORGS", kind: "organization", role: "member" },
  { setting: "ALLOWED_TEAMS", kind: "team", role: "member" },
  { setting: "ALLOWED_USERS", kind: "user", role: "member" },
] as const satisfies readonly { setting: keyof PolicySettings; kind: EntityKind; role: Role }[];

const LOGIN = "[A-Za-z0-9][A-Za-z0-9_-]{0,99}";
const NAMES: Record<EntityKind, RegExp> = {
  organization: new RegExp(`^${LOGIN}$`),
  user: new RegExp(`^${LOGIN}$`),
  team: new RegExp(`^${LOGIN}/(?!\\.{1,2}$)[A-Za-z0-9_.-]{1,100}$`),
};

/** How much of a wrong entry is said back. */
const MAX_QUOTED = 60;

/** The settings' entities, and a sentence for each entry that cannot be read, which therefore admits nobody. */
export function parsePolicySettings(settings: PolicySettings): {
  entities: AllowedEntity[];
  problems: string[];
} {
  const entities: AllowedEntity[] = [];
  const problems: string[] = [];
  for (const { setting, kind, role } of SETTINGS) {
    for (const entry of (settings[setting] ?? "").split(",").map((text) => text.trim())) {
      if (entry === "") continue;
      const parsed = parseEntry(kind, entry);
      if (parsed === undefined) problems.push(problemOf(setting, kind, entry, settings));
      else if (!entities.some((one) => one.kind === kind && one.id === parsed.id))
        entities.push({ kind, ...parsed, role, source: "settings" });
    }
  }
  return { entities, problems };
}

/** True where GitHub could have an organisation, a person or a team (`<organisation>/<slug>`) of this name. */
export function isEntityName(kind: EntityKind, name: string): boolean {
  return NAMES[kind].test(name);
}

/** `name:id`; for people, who are asked for by id alone, the id is enough. Undefined where it is neither. */
export function parseEntry(kind: EntityKind, entry: string): { id: number; name: string } | undefined {
  const at = entry.lastIndexOf(":");
  const id = parseGitHubId(entry.slice(at + 1).trim());
  if (id === undefined) return undefined;
  if (at === -1) return kind === "user" ? { id, name: String(id) } : undefined;
  const name = entry.slice(0, at).trim();
  return isEntityName(kind, name) ? { id, name } : undefined;
}

/** A numeric id of GitHub's: 1 or more, without a sign or leading zeros. */
export function parseGitHubId(text: string): number | undefined {
  const id = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : undefined;
  return Number.isSafeInteger(id) ? id : undefined;
}

function problemOf(setting: string, kind: EntityKind, entry: string, settings: PolicySettings): string {
  const shape = kind === "team" ? "<organisation>/<team>:<id>" : "<name>:<id>";
  const said = `${setting}: ${JSON.stringify(entry.slice(0, MAX_QUOTED))}`;
  if (!isEntityName(kind, entry)) return `${said} cannot be read, so it lets nobody in. Write ${shape}.`;
  const where = lookupUrl(kind, entry, settings);
  return `${said} has no id, so it lets nobody in. Write ${shape}; the id is the number "id" at ${where}`;
}

/** Where GitHub says what id a name has. */
function lookupUrl(kind: EntityKind, name: string, { GITHUB_URL, GITHUB_API_URL }: PolicySettings): string {
  const isServer = GITHUB_URL !== undefined && !/^(https:\/\/github\.com\/?)?$/.test(GITHUB_URL);
  const api = GITHUB_API_URL || (isServer ? `${GITHUB_URL}/api/v3` : "https://api.github.com");
  const [organization = "", slug = ""] = name.split("/");
  switch (kind) {
    case "organization":
      return `${api}/orgs/${name}`;
    case "user":
      return `${api}/users/${name}`;
    case "team":
      return `${api}/orgs/${organization}/teams/${slug} (ask with: gh api orgs/${organization}/teams/${slug} --jq .id)`;
  }
}
