/** What the tokens page and the API do alike: making, rotating and revoking tokens. */
import { auditSubject } from "../audit.ts";
import * as v from "valibot";
import { placeOf } from "../auth/request-place.ts";
import type { Session } from "../auth/session.ts";
import { issueInstanceToken, parseScopes, rotateInstanceToken, SCOPES, type Scope } from "../auth/token.ts";
import { recordAudit } from "../db/audit.ts";
import {
  countTokens,
  deleteOldTokens,
  findToken,
  listTokens,
  revokeToken,
  type TokenRow,
} from "../db/tokens.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import { visibleText } from "../visible-text.ts";

const MAX_TOKENS = 100;
const DAY_S = 24 * 60 * 60;
/** For as long a refused token is told why; then it is unknown. */
const REMEMBERED_MS = 90 * DAY_S * 1000;

/** Who acts, by which request. */
export interface Actor {
  env: Env;
  session: Session;
  request: Request;
}

/** A token's text, which nobody can read again, and its row. */
export interface NewToken {
  text: string;
  row: TokenRow;
}

const NAME_RULE = "A token needs a name of 1 to 80 characters.";
const EXPIRY_RULE = "A token expires at a time in the future, such as 2030-01-31T00:00:00Z, or never.";
const SCOPES_RULE = `A token's scopes are one or more of ${SCOPES.join(" and ")}.`;
const OVERLAP_RULE = "A token that was rotated works for 0 to 604800 seconds more.";

/** Strict: a field that is spelled wrongly would else make a token that never expires. */
const NewTokenSchema = v.strictObject(
  {
    name: v.pipe(
      v.string(NAME_RULE),
      v.transform(visibleText),
      v.trim(),
      v.minLength(1, NAME_RULE),
      v.maxLength(80, NAME_RULE),
    ),
    expires_at: v.optional(
      v.nullable(
        v.pipe(
          v.string(EXPIRY_RULE),
          v.isoTimestamp(EXPIRY_RULE),
          v.transform((text) => Date.parse(text)),
          v.check((at) => at > Date.now(), EXPIRY_RULE),
        ),
      ),
      null,
    ),
    scopes: v.optional(
      v.pipe(v.array(v.picklist(SCOPES, SCOPES_RULE), SCOPES_RULE), v.minLength(1, SCOPES_RULE)),
      ["connect"],
    ),
  },
  unknownField("name, expires_at and scopes"),
);

const RotationSchema = v.strictObject(
  {
    overlap_seconds: v.optional(
      v.pipe(
        v.number(OVERLAP_RULE),
        v.integer(OVERLAP_RULE),
        v.minValue(0, OVERLAP_RULE),
        v.maxValue(7 * DAY_S, OVERLAP_RULE),
      ),
      DAY_S,
    ),
  },
  unknownField("overlap_seconds"),
);

/** Makes a token from an untrusted body; throws `bad_request`, `admin_required` or `too_many_tokens`. */
export async function makeToken(actor: Actor, body: unknown): Promise<NewToken> {
  const { name, expires_at: expiresAt, scopes } = parse(NewTokenSchema, body);
  const { env, session } = actor;
  requireRoleFor(scopes, session);
  await requireRoomForToken(actor);
  const made = await issueInstanceToken(env.DB, { userId: session.userId, name, scopes, expiresAt });
  await record(actor, "token_created", auditSubject(made.row.name, made.row.id));
  return made;
}

/** A rotation's result; the old token works until `oldExpiresAt`, milliseconds since the epoch. */
export interface Rotation extends NewToken {
  oldExpiresAt: number;
}

/**
 * Puts a new token in the place of a person's; the old one works for `overlap_seconds` more. Throws `bad_request`,
 * `not_found`, `token_replaced`, `admin_required` or `too_many_tokens`.
 */
export async function rotateToken(actor: Actor, tokenId: string, body: unknown): Promise<Rotation> {
  const { overlap_seconds: overlapSeconds } = parse(RotationSchema, body);
  const { env, session } = actor;
  const { userId } = session;
  const old = await findToken(env.DB, { id: tokenId, userId });
  if (old === null) throw new HubError("not_found", { message: "You have no such token." });
  if (old.replaced_by !== null) throw new HubError("token_replaced");
  requireRoleFor(parseScopes(old.scopes), session);
  await requireRoomForToken(actor);
  const oldExpiresAt = Math.min(old.expires_at ?? Infinity, Date.now() + overlapSeconds * 1000);
  // Before the database: what is connected must not outlive the old token because the second step failed.
  await env.USER_HUB.getByName(userId).tokenExpires(tokenId, oldExpiresAt);
  const made = await rotateInstanceToken(env.DB, { id: tokenId, userId, oldExpiresAt });
  if (made === null) throw new HubError("token_replaced");
  await record(actor, "token_rotated", `${auditSubject(old.name, old.id)} to ${made.row.id}`);
  return { ...made, oldExpiresAt };
}

/** Revokes a person's token and closes what is connected with it; throws `not_found`. */
export async function endToken(actor: Actor, tokenId: string): Promise<void> {
  const { env, session } = actor;
  const now = Date.now();
  const revoked = await revokeToken(env.DB, { id: tokenId, userId: session.userId }, now);
  if (revoked === null) throw new HubError("not_found", { message: "You have no such token." });
  // Also of one that was revoked before: the hub may have broken between these two steps. And again where it fails, as when
  // a new version has just been deployed: the page does not offer to revoke it once more.
  const tell = () => env.USER_HUB.getByName(session.userId).tokenRevoked(tokenId);
  await tell().catch(tell);
  if (revoked.revoked_at !== now)
    throw new HubError("not_found", { message: "This token was revoked before." });
  await record(actor, "token_revoked", auditSubject(revoked.name, revoked.id));
}

export function tokensOf({ env, session }: Pick<Actor, "env" | "session">): Promise<TokenRow[]> {
  return listTokens(env.DB, session.userId);
}

/** Throws `too_many_tokens` where the person has as many as the hub keeps. */
export async function requireRoomForToken({ env, session }: Pick<Actor, "env" | "session">): Promise<void> {
  await deleteOldTokens(env.DB, session.userId, Date.now() - REMEMBERED_MS);
  if ((await countTokens(env.DB, session.userId)) >= MAX_TOKENS) throw new HubError("too_many_tokens");
}

function requireRoleFor(scopes: readonly Scope[], { role }: Session): void {
  if (!scopes.includes("admin") || role === "admin") return;
  throw new HubError("admin_required", { message: "The scope admin is for administrators' tokens." });
}

function parse<T>(schema: v.GenericSchema<unknown, T>, body: unknown): T {
  const parsed = v.safeParse(schema, body);
  if (parsed.success) return parsed.output;
  throw new HubError("bad_request", { message: parsed.issues[0].message });
}

/** Valibot asks for one message for whatever is wrong with an object: no object, a field missing, one too many. */
function unknownField(fields: string) {
  return (issue: { expected: string | null; path?: unknown }): string =>
    issue.expected === "never"
      ? `There are no other fields than ${fields}.`
      : `An object with ${fields} is needed.`;
}

async function record(
  { env, session, request }: Actor,
  action: "token_created" | "token_rotated" | "token_revoked",
  subject: string,
): Promise<void> {
  const { userId, login } = session;
  await recordAudit(env.DB, { action, userId, login, subject, reason: null, from: placeOf(request) });
}
