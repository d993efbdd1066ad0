/**
 * Whether the person of a UserHub may use the hub. The one place that asks GitHub again; D1 holds what is known for everybody
 * else, and only this writes it. One call at a time asks GitHub and the others wait for it, because refresh tokens work once.
 * What a webhook says takes effect without waiting for that.
 */
import type { AccessGroup } from "@ai-orchestrator/protocol";
import {
  answerLifetime,
  ASK_EVERY_MS,
  forgetAnswer,
  isFromFuture,
  judge,
  mergeAnswer,
  type Circumstances,
  type Judgement,
} from "../auth/admission.ts";
import { askAboutPerson } from "../auth/ask-github.ts";
import { standingInGroup, type Belonging } from "../auth/instance-access.ts";
import { lookUpEntity } from "../auth/github-lookup.ts";
import { isLocalHub, LOCAL_USER } from "../auth/local.ts";
import { isKnownOf, withoutLosses } from "../auth/membership-loss.ts";
import { loadPolicyInForce } from "../auth/policy-store.ts";
import { decide, type EntityKind, type Memberships } from "../auth/policy.ts";
import type { Admission, GitHubGrant, GitHubLookup, MembershipLoss } from "../contracts.ts";
import { findAdmission, saveAdmission, type AdmissionRecord } from "../db/admissions.ts";
import { recordAudit } from "../db/audit.ts";
import { renameUser } from "../db/users.ts";
import type { Env } from "../env.ts";
import { AccessState } from "./access-state.ts";
import { GitHubAccess } from "./github-access.ts";

/** GitHub is not left alone for longer, whatever it says. */
const MAX_PAUSE_MS = 60 * 60_000;

type Known = Pick<AdmissionRecord, "memberships" | "triedAt">;

export interface MembershipDeps {
  storage: DurableObjectStorage;
  env: Env;
  /** The user's id. */
  owner: () => string;
  /** Ends every sign-in of the person and closes whatever is open, instances included. Called whenever they are not admitted. */
  closeAll: () => Promise<void>;
  /** The person belongs to something else than before, as far as the hub knows, or is called otherwise. */
  changed: () => void;
}

export class Membership {
  readonly #env: Env;
  readonly #owner: () => string;
  readonly #closeAll: () => Promise<void>;
  readonly #changed: () => void;
  readonly #state: AccessState;
  readonly #gitHub: GitHubAccess;
  /** The asking of GitHub that is going on, and how many have ended. */
  #flight: Promise<void> | undefined;
  #flights = 0;
  /** Whoever changes what D1 holds waits for whoever does so now. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor({ storage, env, owner, closeAll, changed }: MembershipDeps) {
    this.#env = env;
    this.#owner = owner;
    this.#closeAll = closeAll;
    this.#changed = changed;
    this.#state = new AccessState(storage, env);
    this.#gitHub = new GitHubAccess(env, this.#state, owner);
  }

  /** True where the person was not admitted when last asked after: what connects all the same must not stay. */
  get isRefused(): boolean {
    return this.#state.isRefused && !this.#isLocalPerson;
  }

  get #isLocalPerson(): boolean {
    return this.#owner() === LOCAL_USER.id && isLocalHub(this.#env);
  }

  async signedIn(grant: GitHubGrant, memberships: Memberships): Promise<Admission> {
    await this.#state.keepGrant(this.#owner(), grant);
    await this.#learn(memberships, memberships.checkedAt);
    const admission = await this.#settle();
    // Who was refused is asked after by nobody: they sign in again.
    if (!admission.admitted) this.#state.dropGrant();
    return admission;
  }

  async admission(): Promise<Admission> {
    if (this.#isLocalPerson) return { admitted: true, role: "admin" };
    // Twice, because the policy may have changed while GitHub was asked.
    for (let asked = 0; asked < 2; asked++) {
      const flights = this.#flights;
      if (!(await this.#shouldAsk())) break;
      if (flights === this.#flights) await this.#ask();
    }
    return this.#settle();
  }

  async lost(loss: MembershipLoss): Promise<Admission> {
    if (loss.lost === "authorization") return this.#revoked();
    this.#state.lost(loss, Date.now());
    const known = await this.#change(({ memberships, triedAt }) => {
      return { memberships: withoutLosses(memberships, this.#state.losses()), triedAt };
    });
    // Somebody may have been in a team of the policy by way of one below it: only GitHub knows.
    if (known !== null && loss.lost === "team" && !isKnownOf(known.memberships, loss)) return this.doubted();
    return (await this.#isOut(known)) ? this.#settle() : this.admission();
  }

  async doubted(): Promise<Admission> {
    // What is being asked now may have been answered before the doubt.
    await this.#flight;
    const { maxAgeMs } = answerLifetime(this.#env);
    await this.#change(({ memberships, triedAt }) => {
      const checkedAt = Math.min(memberships.checkedAt, Date.now() - maxAgeMs);
      return { memberships: { ...memberships, checkedAt }, triedAt };
    });
    return this.admission();
  }

  /** As `UserHubRpc.belonging`. Who may not use the hub belongs to nothing. */
  async belonging(group: AccessGroup): Promise<Belonging> {
    const belonging = await this.#belonging(group, await this.admission());
    if (belonging.standing !== "unasked") return { ...belonging, standing: belonging.standing };
    const { standing, ...asked } = await this.#belonging(group, await this.doubted());
    return { ...asked, standing: standing === "unasked" ? "untold" : standing };
  }

  /** As `UserHubRpc.lookUp`. */
  async lookUp(kind: EntityKind, name: string): Promise<GitHubLookup> {
    const found = await this.#gitHub.use((api) => lookUpEntity(api, kind, name));
    if (found === null) return { found: false, why: "not_asked" };
    return "found" in found ? found : { found: false, why: "away" };
  }

  /** Nobody can ask about the person any more, by their own will: nothing that is known counts from now on. */
  async #revoked(): Promise<Admission> {
    this.#state.dropGrant();
    await this.#change(({ memberships, triedAt }) => {
      return { memberships: forgetAnswer(memberships, Date.now()), triedAt };
    });
    return this.#settle();
  }

  async #belonging(group: AccessGroup, { admitted }: Admission) {
    const [known, { policy, lifetime }] = await this.#read();
    const now = Date.now();
    if (known === null || !admitted)
      return { standing: "untold", login: "", until: now + ASK_EVERY_MS } as const;
    const { memberships } = known;
    const grownOldAt = memberships.checkedAt + lifetime.maxAgeMs;
    return {
      standing: standingInGroup(group, memberships, policy),
      login: memberships.login,
      until: grownOldAt > now ? grownOldAt : now + ASK_EVERY_MS,
    };
  }

  async #shouldAsk(): Promise<boolean> {
    const [known, circumstances] = await this.#read();
    return known !== null && judge(known, circumstances, Date.now()).ask;
  }

  /** True where GitHub need not be asked in order to refuse. */
  async #isOut(known: Known | null): Promise<boolean> {
    if (known === null) return true;
    const decision = decide(known.memberships, await loadPolicyInForce(this.#env));
    return !decision.allowed && decision.refusal !== "unknown";
  }

  /** Judges by what is known now, and sees to what follows. */
  async #settle(): Promise<Admission> {
    const judgement = await this.#inTurn(() => this.#conclude());
    if (judgement?.admitted) return { admitted: true, role: judgement.role };
    await this.#closeAll();
    return { admitted: false, reason: judgement?.reason ?? "never_signed_in" };
  }

  async #conclude(): Promise<Judgement | null> {
    const [known, circumstances] = await this.#read();
    const judgement = known === null ? null : judge(known, circumstances, Date.now()).judgement;
    this.#state.isRefused = judgement?.admitted !== true;
    if (known !== null && judgement !== null) await this.#save(known, known, judgement);
    return judgement;
  }

  /** Takes GitHub's answer to a question of `askedAt`, unless a later one is known. */
  #learn(answer: Memberships, askedAt: number): Promise<void> {
    return this.#inTurn(async () => {
      const [former, circumstances] = await this.#read();
      // Withdrawn by the person while GitHub was asked.
      if (!circumstances.canAsk) return;
      const isUndated = former !== null && isFromFuture(former.memberships.checkedAt, Date.now());
      const last = isUndated ? undefined : former?.memberships;
      if (last !== undefined && last.checkedAt > answer.checkedAt) return;
      const told = withoutLosses(answer, this.#state.losses());
      const memberships = mergeAnswer(last, told, circumstances.policy);
      const known = { memberships, triedAt: askedAt };
      const { judgement } = judge(known, circumstances, Date.now());
      await this.#save(former, known, judgement);
    });
  }

  /** Changes what is known and leaves what was concluded from it. Null where nothing is known. */
  #change(change: (known: Known) => Known): Promise<Known | null> {
    return this.#inTurn(async () => {
      const former = await findAdmission(this.#env.DB, this.#owner());
      if (former === null) return null;
      const known = { ...former, ...change(former) };
      if (JSON.stringify(known) !== JSON.stringify(former)) await this.#store(former, known);
      return known;
    });
  }

  async #save(former: AdmissionRecord | null, known: Known, judgement: Judgement): Promise<void> {
    const { memberships, triedAt } = known;
    const next: AdmissionRecord = {
      memberships,
      triedAt,
      allowed: judgement.admitted,
      role: judgement.admitted ? judgement.role : "member",
      reason: judgement.admitted ? `${judgement.because.kind}:${judgement.because.id}` : judgement.reason,
    };
    if (JSON.stringify(next) === JSON.stringify(former)) return;
    await this.#store(former, next);
    if (former?.allowed && !next.allowed) await this.#audit(former, next.reason);
  }

  async #store(former: AdmissionRecord | null, next: AdmissionRecord): Promise<void> {
    await saveAdmission(this.#env.DB, this.#owner(), next);
    if (former === null) return;
    const [before, now] = [former.memberships, next.memberships];
    // Lists of who may use an instance name people by what they are called.
    if (before.login !== now.login) await renameUser(this.#env.DB, this.#owner(), now.login);
    if (before.login !== now.login || JSON.stringify(before.of) !== JSON.stringify(now.of)) this.#changed();
  }

  async #audit({ memberships, reason: subject }: AdmissionRecord, reason: string): Promise<void> {
    const { login } = memberships;
    const from = { ip: null, place: null };
    await recordAudit(this.#env.DB, {
      action: "access_lost",
      userId: this.#owner(),
      login,
      subject,
      reason,
      from,
    });
  }

  #ask(): Promise<void> {
    this.#flight ??= this.#askGitHub().finally(() => {
      this.#flight = undefined;
      this.#flights++;
    });
    return this.#flight;
  }

  async #askGitHub(): Promise<void> {
    const askedAt = Date.now();
    const policy = await loadPolicyInForce(this.#env);
    const gitHubId = Number(this.#owner().replace(/^github:/, ""));
    const asked = await this.#gitHub.use((api) => askAboutPerson(api, { gitHubId, policy }, askedAt));
    if (asked !== null && "ok" in asked) return this.#learn(asked.ok, askedAt);
    if (asked !== null && "retryAfterSeconds" in asked)
      this.#state.askAfter = askedAt + Math.min((asked.retryAfterSeconds ?? 0) * 1000, MAX_PAUSE_MS);
    await this.#change(({ memberships }) => ({ memberships, triedAt: askedAt }));
  }

  async #read(): Promise<[AdmissionRecord | null, Circumstances]> {
    const [known, policy] = await Promise.all([
      findAdmission(this.#env.DB, this.#owner()),
      loadPolicyInForce(this.#env),
    ]);
    const { hasGrant: canAsk } = this.#state;
    const askAfter = isFromFuture(this.#state.askAfter, Date.now() + MAX_PAUSE_MS) ? 0 : this.#state.askAfter;
    return [known, { policy, lifetime: answerLifetime(this.#env), canAsk, askAfter }];
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.#turn.then(work, work);
    this.#turn = turn;
    return turn;
  }
}
