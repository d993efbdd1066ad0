/** Why somebody can or cannot get in: the stored answers of GitHub under the policy of now. Nobody is asked. */
import * as v from "valibot";
import type { PersonAnswer, WhyAnswer } from "../access-answers.ts";
import { membershipMaxAgeMs } from "../auth/admission.ts";
import { isLocalHub, LOCAL_USER } from "../auth/local.ts";
import { parseGitHubId } from "../auth/policy-settings.ts";
import { loadPolicy } from "../auth/policy-store.ts";
import { decide, standingIn, type AllowedEntity, type MembershipState } from "../auth/policy.ts";
import { findKnownPeople, type KnownPerson } from "../db/known-people.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";

const UserSchema = v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(120));

/** What tells most comes first. */
const TELLING: readonly MembershipState[] = [
  "active",
  "pending",
  "sso_required",
  "not_installed",
  "unknown",
  "none",
];

/** Answers for a login, a numeric id or a user's id; throws `bad_request` where it is none. */
export async function whyAccess(env: Env, asked: unknown): Promise<WhyAnswer> {
  const parsed = v.safeParse(UserSchema, asked);
  if (!parsed.success)
    throw new HubError("bad_request", { message: "Say who: a login or numeric id at GitHub." });
  const user = parsed.output.replace(/^@/, "");
  const id = parseGitHubId(user.replace(/^github:/, ""));
  const { entities } = await loadPolicy(env);
  const known = await findKnownPeople(env.DB, user);
  const byId = id === undefined ? [] : await findKnownPeople(env.DB, `github:${id}`);
  const people = [...known, ...byId.filter(({ userId }) => !known.some((one) => one.userId === userId))];
  return {
    user,
    people: people.map((person) => answerFor(person, entities, env)),
    named: entities.filter((entity) => entity.kind === "user" && isCalled(entity, user, id)),
    isPolicyEmpty: entities.length === 0,
  };
}

function answerFor(person: KnownPerson, policy: readonly AllowedEntity[], env: Env): PersonAnswer {
  const answersSince = Date.now() - membershipMaxAgeMs(env);
  const { userId, login, memberships, checkedAt, triedAt } = person;
  const base = { userId, login, checkedAt, triedAt, isDue: checkedAt !== null && checkedAt <= answersSince };
  if (userId === LOCAL_USER.id && isLocalHub(env)) return { ...base, decision: "local", standings: [] };
  if (memberships === null) return { ...base, decision: "never_asked", standings: [] };
  const standings = policy
    .map((entity) => ({ entity, state: standingIn(entity, memberships) }))
    .toSorted((a, b) => TELLING.indexOf(a.state) - TELLING.indexOf(b.state));
  return { ...base, decision: decide(memberships, policy), standings };
}

function isCalled(entity: AllowedEntity, user: string, id: number | undefined): boolean {
  return entity.id === id || entity.name.toLowerCase() === user.toLowerCase();
}
