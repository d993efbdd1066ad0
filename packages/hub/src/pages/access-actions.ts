/** What the access page and its API do alike: who gets in, letting somebody in, removing them. */
import { auditSubject } from "../audit.ts";
import * as v from "valibot";
import { isLocalHub } from "../auth/local.ts";
import { hasAdministrator, lossesOf, without, type Losses } from "../auth/policy-change.ts";
import { isEntityName, parseEntry, parseGitHubId } from "../auth/policy-settings.ts";
import { loadPolicy } from "../auth/policy-store.ts";
import type { AllowedEntity, EntityKind } from "../auth/policy.ts";
import { recheckEveryone } from "../auth/recheck.ts";
import type { RequestPlace } from "../auth/request-place.ts";
import type { GitHubLookup } from "../contracts.ts";
import {
  deleteAllowedEntity,
  listAllowedEntities,
  saveAllowedEntity,
  type AllowedEntityRow,
} from "../db/allowed-entities.ts";
import { recordAudit } from "../db/audit.ts";
import { listKnownPeople } from "../db/known-people.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import { routes } from "../routes.ts";
import { log } from "../log.ts";

/** What a policy may hold beside its settings: each organisation and team is a question to GitHub when somebody signs in. */
const MAX_ENTITIES = 200;

/** The administrator who changes something, and where they are. */
export interface Actor {
  userId: string;
  login: string;
  from: RequestPlace;
}

/** An entity as it is shown: where it comes from, and for those that were added by whom and when. */
export interface ShownEntity extends AllowedEntity {
  addedBy: string | null;
  /** Milliseconds since the epoch; null for the settings' entities. */
  addedAt: number | null;
}

export interface Access {
  /** Settings first; then what administrators added, by name. */
  entities: ShownEntity[];
  /** A sentence for each part of the settings that cannot be read. */
  problems: string[];
}

/** Where the page of an error leads. */
const BACK = { link: { href: routes.access, text: "Access" } };

const KINDS = ["organization", "team", "user"] as const satisfies readonly EntityKind[];

const AddSchema = v.object({
  kind: v.picklist(KINDS),
  name: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(250)),
  role: v.optional(v.picklist(["member", "admin"]), "member"),
});

const EntitySchema = v.object({
  kind: v.picklist(KINDS),
  id: v.pipe(v.string(), v.transform(parseGitHubId), v.number()),
});

const ADD_MESSAGES: Record<EntityKind, string> = {
  organization: "An organisation is written as its name at GitHub, or as name:id.",
  user: "A person is written as their login at GitHub, as login:id, or as their numeric id.",
  team: "A team is written as organisation/team, the latter as in its address at GitHub, or with :id after it.",
};

/** Who gets in. */
export async function accessOf(env: Env): Promise<Access> {
  const [{ entities, problems }, rows] = await Promise.all([loadPolicy(env), listAllowedEntities(env.DB)]);
  const fixed = entities
    .filter(({ source }) => source === "settings")
    .map((entity) => ({ ...entity, addedBy: null, addedAt: null }));
  return { entities: [...fixed, ...rows.map(toShown)], problems };
}

/** Lets somebody in, from an untrusted form or JSON body; throws a `HubError` that says why not. Takes effect at once. */
export async function addEntity(env: Env, actor: Actor, body: unknown): Promise<AllowedEntity> {
  const wanted = v.safeParse(AddSchema, body);
  if (!wanted.success)
    throw new HubError("bad_request", {
      message: `Say whom: kind (${KINDS.join(", ")}), name, and role (member or admin).`,
    });
  const { kind, name, role } = wanted.output;
  const entity = { kind, ...(await resolve(env, actor, kind, name)), role, source: "database" } as const;
  const { entities } = await loadPolicy(env);
  const others = without(entities, entity);
  if (others.length === entities.length && addedOnes(entities).length >= MAX_ENTITIES)
    throw new HubError("policy_full");
  // Whoever is given a lower role than before may have been the last administrator.
  await requireAdministrator(env, entities, [...others, entity]);
  await saveAllowedEntity(env.DB, entity, actor.userId);
  const former = addedOnes(entities).find((one) => one.kind === kind && one.id === entity.id);
  if (former !== undefined) await requireStillAdministrator(env, actor, { entities, former });
  await changed(env, actor, "policy_added", entity);
  return entity;
}

/** What removing an entity does; throws `not_found` or `set_by_settings` where there is nothing to remove. */
export async function removalOf(env: Env, body: unknown): Promise<{ entity: AllowedEntity; losses: Losses }> {
  const { entity, entities, people } = await findRemovable(env, body);
  return { entity, losses: lossesOf(people, entities, without(entities, entity)) };
}

/** Removes an entity; as `removalOf`, or `last_administrator`. Takes effect at once. */
export async function removeEntity(env: Env, actor: Actor, body: unknown): Promise<AllowedEntity> {
  const { entity, entities } = await findRemovable(env, body);
  await requireAdministrator(env, entities, without(entities, entity));
  if (!(await deleteAllowedEntity(env.DB, entity.kind, entity.id))) throw new HubError("not_found", BACK);
  await requireStillAdministrator(env, actor, { entities, former: entity });
  await changed(env, actor, "policy_removed", entity);
  return entity;
}

async function findRemovable(env: Env, body: unknown) {
  const wanted = v.safeParse(EntitySchema, body);
  if (!wanted.success) throw new HubError("bad_request", { message: "Say which: its kind and numeric id." });
  const [{ entities }, people] = await Promise.all([loadPolicy(env), listKnownPeople(env.DB)]);
  const matching = entities.filter(({ kind, id }) => kind === wanted.output.kind && id === wanted.output.id);
  const entity = addedOnes(matching)[0];
  if (entity !== undefined) return { entity, entities, people };
  if (matching.length > 0) throw new HubError("set_by_settings", BACK);
  throw new HubError("not_found", { message: "It is not on the allow-list.", ...BACK });
}

/** The id and name of what was written: both given by hand, or asked of GitHub. */
async function resolve(
  env: Env,
  actor: Actor,
  kind: EntityKind,
  written: string,
): Promise<{ id: number; name: string }> {
  const byHand = parseEntry(kind, written);
  const name = byHand?.name ?? written;
  if (!isEntityName(kind, name)) throw new HubError("bad_request", { message: ADD_MESSAGES[kind] });
  if (byHand !== undefined && name === String(byHand.id)) return byHand;
  const answer = await env.USER_HUB.getByName(actor.userId).lookUp(kind, name);
  if (answer.found && byHand !== undefined && answer.id !== byHand.id)
    throw new HubError("bad_request", { message: `At GitHub ${answer.name} has another id: ${answer.id}.` });
  if (answer.found) return { id: answer.id, name: answer.name };
  // What GitHub cannot or may not say now, an administrator may know.
  if (byHand !== undefined) return byHand;
  throw lookupError(answer.why, name);
}

/** Refuses what would leave nobody in charge. A hub that its own machine's user signs in to always has that one. */
async function requireAdministrator(
  env: Env,
  before: readonly AllowedEntity[],
  after: readonly AllowedEntity[],
): Promise<void> {
  if (isLocalHub(env)) return;
  const people = await listKnownPeople(env.DB);
  if (hasAdministrator(people, before) && !hasAdministrator(people, after))
    throw new HubError("last_administrator", BACK);
}

/** Takes a change back where another one at the same time has left nobody in charge: each saw the other's administrator. */
async function requireStillAdministrator(
  env: Env,
  actor: Actor,
  { entities, former }: { entities: readonly AllowedEntity[]; former: AllowedEntity },
): Promise<void> {
  const { entities: now } = await loadPolicy(env);
  try {
    await requireAdministrator(env, entities, now);
  } catch (error) {
    await saveAllowedEntity(env.DB, former, actor.userId);
    throw error;
  }
}

/** Writes a change down and closes what people have open whom it concerns. */
async function changed(
  env: Env,
  { userId, login, from }: Actor,
  action: "policy_added" | "policy_removed",
  { kind, name, id, role }: AllowedEntity,
): Promise<void> {
  const subject = auditSubject(`${kind} ${name}`, id);
  await recordAudit(env.DB, { action, userId, login, subject, reason: role, from });
  try {
    await recheckEveryone(env);
  } catch (error) {
    // The change stands. Whoever could not be asked after is asked after when their access is checked next.
    log("recheck_failed", { error });
  }
}

function addedOnes(entities: readonly AllowedEntity[]): AllowedEntity[] {
  return entities.filter(({ source }) => source === "database");
}

function toShown(row: AllowedEntityRow): ShownEntity {
  const { kind, github_id: id, name, role, added_by_login: addedBy, added_at: addedAt } = row;
  return { kind, id, name, role, source: "database", addedBy, addedAt };
}

function lookupError(why: Exclude<GitHubLookup, { found: true }>["why"], name: string): HubError {
  const byHand = "Write it with its numeric id, as name:id.";
  switch (why) {
    case "nobody":
      return new HubError("name_not_found", {
        message: `GitHub knows nobody called ${name}, or does not show them to you.`,
      });
    case "away":
      return new HubError("github_unavailable", {
        message: `The hub could not ask GitHub for the id of ${name}. ${byHand}`,
      });
    case "sso_required":
      return new HubError("sso_required", {
        message: `GitHub does not tell you the id of ${name} before that. ${byHand}`,
      });
    case "not_installed":
      return new HubError("app_not_installed", {
        message: `GitHub does not tell the id of ${name} before that. ${byHand}`,
      });
    case "not_asked":
      return new HubError("bad_request", {
        message: `This hub cannot ask GitHub for the id of ${name}. ${byHand}`,
      });
  }
}
