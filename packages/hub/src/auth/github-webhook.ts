/** GitHub's webhooks: whether one is GitHub's, and what it says that matters here. What else it says is ignored. */
import * as v from "valibot";
import type { Loss } from "./membership-loss.ts";

/** What became true at GitHub. Ids of people are the hub's. */
export type WebhookNews =
  /** One person lost something. */
  | { news: "lost"; userId: string; loss: Loss }
  /** Everybody lost it, because it is no more. */
  | { news: "gone"; loss: Loss }
  /** Nobody knows what GitHub still tells about an organisation's members: the App is not installed there any more. */
  | { news: "uninstalled"; organization: { id: number; login: string } }
  | { news: "organization_renamed"; id: number; login: string; former: string | undefined }
  | { news: "team_renamed"; id: number; name: string }
  /** A person withdrew the App's authorization. */
  | { news: "revoked"; userId: string };

const SIGNATURE_SHAPE = /^sha256=([0-9a-f]{64})$/;

/** True where `X-Hub-Signature-256` was made of these bytes with this secret. Compared in constant time. */
export async function isSignedWith(
  secret: string,
  signature: string,
  body: Uint8Array<ArrayBuffer>,
): Promise<boolean> {
  const [, hex] = SIGNATURE_SHAPE.exec(signature) ?? [];
  if (hex === undefined || secret === "") return false;
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new TextEncoder().encode(secret), algorithm, false, [
    "verify",
  ]);
  const bytes = Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
  return crypto.subtle.verify("HMAC", key, bytes, body);
}

const id = v.pipe(v.number(), v.safeInteger(), v.minValue(1));
const name = v.pipe(v.string(), v.minLength(1), v.maxLength(300));
const person = v.object({ id });
const organization = v.object({ id, login: name });

const Action = v.object({ action: v.pipe(v.string(), v.maxLength(100)) });
const MemberRemoved = v.object({ organization, membership: v.object({ user: person }) });
const OrganizationEvent = v.object({ organization });
const OrganizationRenamed = v.object({
  organization,
  changes: v.optional(v.object({ login: v.optional(v.object({ from: name })) })),
});
const TeamMemberRemoved = v.object({ team: v.object({ id }), member: person });
const TeamDeleted = v.object({ team: v.object({ id }) });
const TeamEdited = v.object({ team: v.object({ id, slug: name }), organization });
const Installation = v.object({ installation: v.object({ account: organization }) });
const Authorization = v.object({ sender: person });

/** What a payload is read as, by `<event>.<action>`. */
const READERS: Record<string, (payload: unknown) => WebhookNews> = {
  "organization.member_removed": (payload) => {
    const { organization: from, membership } = v.parse(MemberRemoved, payload);
    return { news: "lost", userId: hubUserId(membership.user.id), loss: { lost: "organization", ...from } };
  },
  "organization.deleted": (payload) => {
    return {
      news: "gone",
      loss: { lost: "organization", ...v.parse(OrganizationEvent, payload).organization },
    };
  },
  "organization.renamed": (payload) => {
    const { organization: renamed, changes } = v.parse(OrganizationRenamed, payload);
    return { news: "organization_renamed", ...renamed, former: changes?.login?.from };
  },
  "membership.removed": (payload) => {
    const { team, member } = v.parse(TeamMemberRemoved, payload);
    return { news: "lost", userId: hubUserId(member.id), loss: { lost: "team", id: team.id } };
  },
  "team.deleted": (payload) => {
    return { news: "gone", loss: { lost: "team", id: v.parse(TeamDeleted, payload).team.id } };
  },
  "team.edited": (payload) => {
    const { team, organization: of } = v.parse(TeamEdited, payload);
    return { news: "team_renamed", id: team.id, name: `${of.login}/${team.slug}` };
  },
  "installation.deleted": uninstalled,
  "installation.suspend": uninstalled,
  "github_app_authorization.revoked": (payload) => {
    return { news: "revoked", userId: hubUserId(v.parse(Authorization, payload).sender.id) };
  },
};

/** What a signed delivery says, or null where it is nothing to the hub. Throws where GitHub would not send it so. */
export function parseWebhook(event: string, payload: unknown): WebhookNews | null {
  const action = v.safeParse(Action, payload);
  if (!action.success) return null;
  const key = `${event}.${action.output.action}`;
  return Object.hasOwn(READERS, key) ? (READERS[key]?.(payload) ?? null) : null;
}

/** An installation on a person's account is read alike: nobody belongs to that, so it is about nobody. */
function uninstalled(payload: unknown): WebhookNews {
  return { news: "uninstalled", organization: v.parse(Installation, payload).installation.account };
}

function hubUserId(gitHubId: number): string {
  return `github:${gitHubId}`;
}
