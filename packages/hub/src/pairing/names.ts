/**
 * Whom a version 1 instance names as those who may approve it: `user=`, `org=` and `team=` of its dial. Whose membership is not
 * known may not: the hub knows those of what its own allow-list names.
 */
import { judgeAccess } from "../auth/instance-access.ts";
import type { Membership } from "../auth/policy.ts";
import { findByLogins, listKnownPeople, type KnownPerson } from "../db/known-people.ts";
import type { Env } from "../env.ts";
import type { PairingNames } from "./contract.ts";

const MAX_NAME_LENGTH = 160;
const MAX_USERS = 20;
/** On no more dashboards than this stands a request. */
const MAX_TOLD = 50;

/** The names in a dial's query, null where there is none; undefined where they are longer or more than any real ones. */
export function readNames(query: URLSearchParams): PairingNames | null | undefined {
  const users = (query.get("user") ?? "").split(",").flatMap((name) => name.trim() || []);
  const [organization, team] = [query.get("org") || null, query.get("team") || null];
  if (users.length > MAX_USERS || [...users, organization ?? "", team ?? ""].some(isTooLong))
    return undefined;
  return users.length === 0 && organization === null && team === null ? null : { users, organization, team };
}

/** True where this person may approve it: as who may use an instance with such a list, and whoever has such a login here. */
export async function mayApprove(
  env: Pick<Env, "USER_HUB">,
  person: { userId: string; login: string },
  names: PairingNames | null,
): Promise<boolean> {
  if (names === null || names.users.some((name) => isSame(name, person.login))) return true;
  const { users, organization, team } = names;
  const list = { users, ...(organization !== null && { organization }), ...(team !== null && { team }) };
  const hub = env.USER_HUB.getByName(person.userId);
  return (await judgeAccess(list, person, async (group) => hub.belonging(group))).allowed;
}

/** The ids of those on whose dashboards it is shown: who is named, as D1 remembers them. */
export async function namedPeople(db: D1Database, names: PairingNames): Promise<string[]> {
  const byLogin = names.users.length === 0 ? [] : await findByLogins(db, names.users);
  const byMembership = names.organization === null && names.team === null ? [] : await listKnownPeople(db);
  const named = [...byLogin, ...byMembership].filter((person) => isNamed(person, names));
  return [...new Set(named.map(({ userId }) => userId))].slice(0, MAX_TOLD);
}

/** One of the users, or a member of the team, or where none is named of the organisation. */
function isNamed({ login, memberships }: KnownPerson, names: PairingNames): boolean {
  if (names.users.some((name) => isSame(name, login))) return true;
  const { organization, team } = names;
  const isIn = (kind: Membership["kind"], name: string) =>
    memberships?.of.some((one) => one.kind === kind && one.state === "active" && isSame(one.name, name)) ===
    true;
  if (team !== null) return isIn("team", team.includes("/") ? team : `${organization ?? ""}/${team}`);
  return organization !== null && isIn("organization", organization);
}

function isSame(one: string, other: string): boolean {
  return one.toLowerCase() === other.toLowerCase();
}

function isTooLong(name: string): boolean {
  return name.length > MAX_NAME_LENGTH;
}
