/** What the two objects promise each other and the pages: shapes that cross a Durable Object's RPC boundary. */
import type {
  Absence,
  AccessGroup,
  AccessList,
  ClaudeSession,
  ConnectionErrorCode,
  InstanceMetadata,
  LogLine,
  Status,
} from "@ai-orchestrator/protocol";
import type { ActivityEntry, ActivityFilter } from "./activity.ts";
import type { Belonging } from "./auth/instance-access.ts";
import type { Loss } from "./auth/membership-loss.ts";
import type { EntityKind, Memberships, Refusal, Role } from "./auth/policy.ts";
import type { Instance } from "./instance.ts";
import type { PairingNotice } from "./pairing/contract.ts";
import type { Allowance } from "./usage/allowance.ts";

/** Told to the owner's UserHub by a Tunnel whose connector has just registered. */
export interface InstanceConnected {
  clientId: string;
  /** Host label and name of the Tunnel. */
  label: string;
  tokenId: string;
  software: { name: string; version: string };
  metadata: InstanceMetadata;
  status: Status;
  sessions: ClaudeSession[];
  /** Milliseconds since the epoch. */
  connectedAt: number;
  /** Why it was away before, where its connector says so. */
  absence?: Absence | undefined;
  protocol: 1 | 2;
  /** Who may use it, where it says so. */
  access?: AccessList | undefined;
}

export interface StatusReport {
  status: Status;
  sessions: ClaudeSession[];
  /** Milliseconds since the epoch. */
  at: number;
}

/** Why an instance is no longer connected; `connection_lost` when its socket went without a word. */
export type GoneReason = ConnectionErrorCode | "connection_lost" | "stopped";

export interface Presence {
  connected: boolean;
  /** When the connector last proved it lives (message or heartbeat), milliseconds since the epoch. */
  provenAt: number | null;
}

/** What an instance's connector says of itself when it is asked. */
export interface Inspection {
  /** From the hub to the connector and back, in milliseconds. */
  latencyMs: number;
  /** Its recent log, oldest first. */
  log: LogLine[];
}

/**
 * What its owner can do to an instance. `let_back` undoes `disconnect`, `distrust_path` undoes `trust_path`; `name` "" takes
 * the name away.
 */
export type InstanceAction =
  | {
      action: "disconnect" | "let_back" | "refresh" | "mark_seen" | "forget" | "trust_path" | "distrust_path";
    }
  | { action: "rename"; name: string };

/**
 * What became of it: the instance as it is now, null where it was forgotten. `connected`: only what is gone can be forgotten.
 * `unreachable`: there is nobody to ask. `bad_name`: longer than `MAX_NAME_LENGTH`. `unanswered`: the instance's Tunnel failed or did not
 * answer within 2 s; where it answers later, what was asked happens then, and dashboards show it.
 */
export type ActionResult =
  | { done: Instance | null }
  | { refused: "unknown" | "connected" | "unreachable" | "bad_name" | "unanswered" };

export interface ActivityQuery {
  filter: ActivityFilter;
  /** Of this instance alone. */
  label?: string | undefined;
  /** Only entries that contain this text, in any case; at most 200 UTF-16 code units. */
  text?: string | undefined;
  /** Only entries older than the one with this id. */
  before?: number | undefined;
}

export interface ActivityPage {
  /** Newest first. */
  entries: ActivityEntry[];
  /** `before` of the next page; null where there is nothing older. Entries may be few while there is more to search. */
  next: number | null;
  /** A file of the archive could not be read: entries are missing here. */
  isIncomplete?: true;
}

/**
 * What became of asking a connector to look again. `asked`: it is one that does not say when it has. `unanswered`: it did not say so
 * in time, or left. `away`: there is nobody to ask.
 */
export type RefreshAnswer = "done" | "asked" | "unanswered" | "away";

/** The answer to a sign-in that has ended, in place of what was asked for. */
export type SignedOut = "signed_out";

/** What GitHub gave a person's sign-in; times are milliseconds since the epoch. */
export interface GitHubGrant {
  accessToken: string;
  accessExpiresAt: number;
  refreshToken: string;
  refreshExpiresAt: number;
}

/**
 * Whether a person may use the hub now. `unverified`: GitHub was away for longer than its last answer counts, or the
 * person must sign in again so that it can be asked.
 */
export type Admission =
  | { admitted: true; role: Role }
  | { admitted: false; reason: Refusal | "unverified" | "never_signed_in" };

/** What GitHub's webhooks tell of one person, applied to what is known of them before GitHub is asked again. */
export type MembershipLoss =
  | Loss
  /** The person withdrew the App's authorization: their grant is worth nothing, and they must sign in again. */
  | { lost: "authorization" };

/**
 * What GitHub says of a name, asked as the person whose UserHub asks. `nobody`: it knows none or does not show them.
 * `sso_required`, `not_installed`: it does not tell this person. `away`: it did not answer. `not_asked`: the hub does not sign in with
 * GitHub, or has no grant of this person's for what needs one.
 */
export type GitHubLookup =
  | { found: true; id: number; name: string }
  | { found: false; why: "nobody" | "sso_required" | "not_installed" | "away" | "not_asked" };

/** RPC of `UserHub`, named by the user's id. */
export interface UserHubRpc {
  instanceConnected(instance: InstanceConnected): Promise<void>;
  /** Answers with what is known of the hub's quota, by which the Tunnel paces itself; undefined where nothing is. */
  instanceStatus(clientId: string, report: StatusReport): Promise<Allowance | undefined>;
  instanceGone(clientId: string, connectedAt: number, reason: GoneReason, at: number): Promise<void>;

  /** Every instance as `listed`, in no order. Asked for by a sign-in, which the Worker may know from its access cookie alone. */
  list(sessionId: string): Instance[] | SignedOut;
  /** As `list`, and what a page says of it when it connects, so that it is sent what has changed since. */
  board(sessionId: string): Promise<{ instances: Instance[]; revision: string } | SignedOut>;
  /** One instance by its label or client id; null where there is none. */
  find(sessionId: string, idOrLabel: string): Instance | null | SignedOut;
  /** Remembers that a sign-in goes to an instance, so that its end is told to that Tunnel. `actor` is its person's login. */
  opened(sessionId: string, label: string, actor: string): void;
  /** Does something to an instance, named by label or client id, for the person with this login. */
  act(idOrLabel: string, action: InstanceAction, actor: string): Promise<ActionResult>;
  /** A page of what happened, from the object and from its archive. */
  activity(sessionId: string, query: ActivityQuery): Promise<ActivityPage | SignedOut>;
  /** What the connector of an instance says of itself; null where it is not there or does not answer in time. */
  inspect(sessionId: string, idOrLabel: string): Promise<Inspection | null | SignedOut>;
  /** Instances that ask this person by name for a token, oldest first. */
  pairings(sessionId: string): PairingNotice[] | SignedOut;
  /** One more asks; shown unless too many do. */
  pairingAsks(notice: PairingNotice): Promise<void>;
  /** It was decided, or went. */
  pairingOver(code: string): Promise<void>;
  /** Closes what these sign-ins have open, here and at every instance, and refuses their cookies while these are fresh. */
  sessionsEnded(sessionIds: string[]): Promise<void>;

  /**
   * Keeps what is needed to ask GitHub about this person later, and what it said just now; the person must be in D1. Answers
   * as `admission`: a webhook may know better than GitHub's API.
   */
  signedIn(grant: GitHubGrant, memberships: Memberships): Promise<Admission>;
  /**
   * Whether this person may use the hub: asks GitHub where its last answer is too old, one call at a time. Who may not
   * loses their sign-ins and everything that is open, instances included, before this answers.
   */
  admission(): Promise<Admission>;
  /** Takes what a webhook says into account; as `admission`. */
  membershipLost(loss: MembershipLoss): Promise<Admission>;
  /** As `admission`, but asks GitHub however young its last answer is, at most once a minute. */
  membershipDoubted(): Promise<Admission>;
  /** Whether this person belongs to an organisation or a team, as `admission` knows it. Never of a person who is not GitHub's. */
  belonging(group: AccessGroup): Promise<Belonging>;
  /** Asks GitHub what id a name has: a login, or `<organisation>/<slug>` for a team. */
  lookUp(kind: EntityKind, name: string): Promise<GitHubLookup>;
}

/** RPC of `Tunnel`, named by the instance's label. `owner` is a user's id; another owner's call is refused. */
export interface TunnelRpc {
  presence(owner: string): Promise<Presence>;
  /** Whether the instance can be looked at, for a sign-in that waits for it. */
  isReady(owner: string, sessionId: string): Promise<boolean | SignedOut>;
  /** Tells the connector to leave and closes its socket and everything proxied through it. */
  disconnect(owner: string, reason: ConnectionErrorCode, message: string): Promise<void>;
  /** As `disconnect`, but only what was made with this token. */
  disconnectToken(owner: string, tokenId: string): Promise<void>;
  /** From `at` on (milliseconds since the epoch) this token is worth nothing: what is connected with it then ends. */
  tokenExpires(owner: string, tokenId: string, at: number): Promise<void>;
  /** Closes what these sign-ins have open through this Tunnel, and refuses their cookies while these are fresh. */
  endSessions(owner: string, sessionIds: string[]): Promise<void>;
  /** Asks the connector to look again, and waits for it for 1.5 s where it says when it has. */
  refreshStatus(owner: string): Promise<RefreshAnswer>;
  /** What is known of the owner's memberships is another: who may not look any more has nothing open when this resolves. */
  membershipsChanged(owner: string): Promise<void>;
  /** As `disconnect` with the reason `disconnected`; dials of this instance are refused until `letBack`. */
  keepAway(owner: string, message: string): Promise<void>;
  letBack(owner: string): Promise<void>;
  /** From now on serves the instance in path mode, until it connects with another token, or no longer. */
  trustPath(owner: string, trusted: boolean): Promise<void>;
  /** Asks the connector for its recent log; null where there is none, or it does not answer within 3 s. */
  inspect(owner: string): Promise<Inspection | null>;
}
