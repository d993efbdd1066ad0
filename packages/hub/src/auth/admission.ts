/**
 * Whether a person is admitted, from what GitHub last said of them and how long ago. Pure; asking GitHub is the UserHub's
 * business. Whatever is not known admits nobody.
 */
import { decide, type AllowedEntity, type Memberships, type Refusal, type Role } from "./policy.ts";

/** How long GitHub's answers count; of env.ts, and spelled out, because the runner loads this file without a Worker. */
export interface AdmissionSettings {
  MEMBERSHIP_MAX_AGE_SECONDS?: string;
  MEMBERSHIP_GRACE_SECONDS?: string;
}

const DAY_SECONDS = 86_400;
const LIMITS = {
  MEMBERSHIP_MAX_AGE_SECONDS: { default: 3600, min: 1, max: DAY_SECONDS },
  MEMBERSHIP_GRACE_SECONDS: { default: 14_400, min: 0, max: 7 * DAY_SECONDS },
} as const;

/** GitHub is asked at most this often about somebody whom it did not let in, or while it is away. */
export const ASK_EVERY_MS = 60_000;
/** An answer dated later than now by more than this is not believed. */
const CLOCK_SKEW_MS = 60_000;

/** How long an answer counts, in milliseconds. */
export interface AnswerLifetime {
  /** Then GitHub is asked again. */
  maxAgeMs: number;
  /** Beyond that, while GitHub cannot be asked. */
  graceMs: number;
}

/** What D1 remembers of a person's admission; null where GitHub was never asked. */
export interface KnownAdmission {
  allowed: boolean;
  /** When GitHub last answered, milliseconds since the epoch. */
  checkedAt: number;
}

/** True where a person of GitHub's is admitted and need not be asked after; false means: ask `UserHub.admission()`. */
export function isAdmissionCurrent(
  known: KnownAdmission | null,
  env: AdmissionSettings,
  now: number,
): boolean {
  return known !== null && known.allowed && isYounger(known.checkedAt, membershipMaxAgeMs(env), now);
}

/** How long an answer counts before GitHub is asked again, in milliseconds. */
export function membershipMaxAgeMs(env: AdmissionSettings): number {
  return answerLifetime(env).maxAgeMs;
}

export function answerLifetime(env: AdmissionSettings): AnswerLifetime {
  return {
    maxAgeMs:
      (secondsOf(env, "MEMBERSHIP_MAX_AGE_SECONDS") ?? LIMITS.MEMBERSHIP_MAX_AGE_SECONDS.default) * 1000,
    graceMs: (secondsOf(env, "MEMBERSHIP_GRACE_SECONDS") ?? LIMITS.MEMBERSHIP_GRACE_SECONDS.default) * 1000,
  };
}

/** A sentence for each of these settings that cannot be read, in whose place its default counts. */
export function admissionProblems(env: AdmissionSettings): string[] {
  return (Object.keys(LIMITS) as (keyof typeof LIMITS)[])
    .filter((name) => env[name] !== undefined && secondsOf(env, name) === undefined)
    .map((name) => {
      const { min, max, default: usual } = LIMITS[name];
      return `${name} must be a whole number from ${min} to ${max}; ${usual} is used.`;
    });
}

function secondsOf(env: AdmissionSettings, name: keyof typeof LIMITS): number | undefined {
  const text = env[name];
  if (text === undefined || !/^\d{1,9}$/.test(text)) return undefined;
  const seconds = Number(text);
  return seconds >= LIMITS[name].min && seconds <= LIMITS[name].max ? seconds : undefined;
}

/** What is known of a person. */
export interface LastAnswer {
  memberships: Memberships;
  /** When GitHub was last asked, milliseconds since the epoch; later than `memberships.checkedAt` where it did not answer. */
  triedAt: number;
}

export interface Circumstances {
  policy: readonly AllowedEntity[];
  lifetime: AnswerLifetime;
  /** False where GitHub cannot be asked any more before the person signs in again: then nothing counts beyond its age. */
  canAsk: boolean;
  /** GitHub wants to be left alone until then, milliseconds since the epoch. */
  askAfter: number;
}

export type Judgement =
  | { admitted: true; because: AllowedEntity; role: Role }
  | { admitted: false; reason: Refusal | "unverified" };

/** What holds as long as GitHub is not asked, and whether it should be asked first. */
export interface Judged {
  judgement: Judgement;
  ask: boolean;
}

/** Whether this person is admitted now, and whether GitHub should be asked before that is believed. */
export function judge(last: LastAnswer, circumstances: Circumstances, now: number): Judged {
  const { memberships, triedAt } = last;
  const { policy, lifetime, canAsk, askAfter } = circumstances;
  const decision = decide(memberships, policy);
  const countsForMs = lifetime.maxAgeMs + (canAsk ? lifetime.graceMs : 0);
  const counts = isYounger(memberships.checkedAt, countsForMs, now);
  const isSettled = decision.allowed && isYounger(memberships.checkedAt, lifetime.maxAgeMs, now);
  // Nobody told yet is another thing than nobody known: a new line of the allow-list is asked about at once.
  const isUntold = !decision.allowed && decision.refusal === "unknown";
  const wasAway = triedAt > memberships.checkedAt;
  const mustWait =
    now < askAfter || ((wasAway || !(decision.allowed || isUntold)) && isYounger(triedAt, ASK_EVERY_MS, now));
  return {
    judgement: toJudgement(decision, counts),
    ask: canAsk && policy.length > 0 && !isSettled && !mustWait,
  };
}

function toJudgement(decision: ReturnType<typeof decide>, counts: boolean): Judgement {
  if (!decision.allowed && decision.refusal === "empty_policy")
    return { admitted: false, reason: "empty_policy" };
  if (!counts) return { admitted: false, reason: "unverified" };
  if (!decision.allowed) return { admitted: false, reason: decision.refusal };
  return { admitted: true, because: decision.because, role: decision.role };
}

function isYounger(at: number, ageMs: number, now: number): boolean {
  return now < at + ageMs && !isFromFuture(at, now);
}

/** True for a time that a clock gave which was ahead then and has been set back since. */
export function isFromFuture(at: number, now: number): boolean {
  return at > now + CLOCK_SKEW_MS;
}

/**
 * What is known after GitHub has answered at least in part: where it did not tell, what it last told still stands, but then
 * only for as long as that does.
 */
export function mergeAnswer(
  former: Memberships | undefined,
  answer: Memberships,
  policy: readonly AllowedEntity[],
): Memberships {
  const decision = decide(answer, policy);
  if (decision.allowed || decision.refusal !== "unknown" || former === undefined) return answer;
  const told = answer.of.map((one) => (one.state === "unknown" ? (formerly(former, one) ?? one) : one));
  return { ...answer, of: told, checkedAt: former.checkedAt };
}

/** What is known of a person after they have taken back what it was asked with: nothing, and too old by any setting. */
export function forgetAnswer(memberships: Memberships, now: number): Memberships {
  const of = memberships.of.map((one) => ({ ...one, state: "unknown" as const }));
  const longestAgo = now - LIMITS.MEMBERSHIP_MAX_AGE_SECONDS.max * 1000;
  return { ...memberships, of, checkedAt: Math.min(memberships.checkedAt, longestAgo) };
}

function formerly(
  former: Memberships,
  { kind, id }: Memberships["of"][number],
): Memberships["of"][number] | undefined {
  return former.of.find((one) => one.kind === kind && one.id === id);
}
