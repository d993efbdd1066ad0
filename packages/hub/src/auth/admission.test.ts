import { describe, expect, it } from "vitest";
import {
  admissionProblems,
  answerLifetime,
  ASK_EVERY_MS,
  isAdmissionCurrent,
  judge,
  mergeAnswer,
  type Circumstances,
  type LastAnswer,
} from "./admission.ts";
import type { AllowedEntity, Membership, Memberships, MembershipState } from "./policy.ts";

const NOW = Date.UTC(2026, 10, 20);
const MAX_AGE_MS = 3_600_000;
const GRACE_MS = 14_400_000;

const ACME: AllowedEntity = {
  kind: "organization",
  id: 9919,
  name: "acme",
  role: "member",
  source: "settings",
};
const CORE: AllowedEntity = { kind: "team", id: 4567, name: "other/core", role: "admin", source: "database" };

const inAcme = (state: MembershipState): Membership => ({
  kind: "organization",
  id: ACME.id,
  name: "acme",
  state,
});
const inCore = (state: MembershipState): Membership => ({
  kind: "team",
  id: CORE.id,
  name: CORE.name,
  state,
});

function known(ageMs: number, of: Membership[] = [inAcme("active")]): Memberships {
  return { userId: 7, login: "ann", of, checkedAt: NOW - ageMs };
}

function answered(ageMs: number, of?: Membership[]): LastAnswer {
  return { memberships: known(ageMs, of), triedAt: NOW - ageMs };
}

const usual: Circumstances = {
  policy: [ACME],
  lifetime: { maxAgeMs: MAX_AGE_MS, graceMs: GRACE_MS },
  canAsk: true,
  askAfter: 0,
};

const admitted = { admitted: true, because: ACME, role: "member" };
const refused = (reason: string) => ({ admitted: false, reason });

describe("judge", () => {
  it("believes a young answer that lets in, and does not ask", () => {
    expect(judge(answered(0), usual, NOW)).toEqual({ judgement: admitted, ask: false });
    expect(judge(answered(MAX_AGE_MS - 1), usual, NOW)).toEqual({ judgement: admitted, ask: false });
  });

  it("asks when the answer has its age, and admits for the grace where GitHub is away", () => {
    expect(judge(answered(MAX_AGE_MS), usual, NOW)).toEqual({ judgement: admitted, ask: true });
    expect(judge(answered(MAX_AGE_MS + GRACE_MS - 1), usual, NOW).judgement).toEqual(admitted);
    expect(judge(answered(MAX_AGE_MS + GRACE_MS), usual, NOW)).toEqual({
      judgement: refused("unverified"),
      ask: true,
    });
  });

  it("counts nothing beyond its age where GitHub can never be asked, and does not ask", () => {
    const revoked = { ...usual, canAsk: false };
    expect(judge(answered(MAX_AGE_MS - 1), revoked, NOW)).toEqual({ judgement: admitted, ask: false });
    expect(judge(answered(MAX_AGE_MS), revoked, NOW)).toEqual({
      judgement: refused("unverified"),
      ask: false,
    });
  });

  it("asks at most once a minute while GitHub is away", () => {
    const tried = (agoMs: number) => ({ memberships: known(MAX_AGE_MS * 2), triedAt: NOW - agoMs });
    expect(judge(tried(ASK_EVERY_MS - 1), usual, NOW)).toEqual({ judgement: admitted, ask: false });
    expect(judge(tried(ASK_EVERY_MS), usual, NOW).ask).toBe(true);
  });

  it("asks about who is refused at most once a minute, so that who joins again gets in", () => {
    const gone = (ageMs: number) => answered(ageMs, [inAcme("none")]);
    expect(judge(gone(ASK_EVERY_MS - 1), usual, NOW)).toEqual({
      judgement: refused("not_a_member"),
      ask: false,
    });
    expect(judge(gone(ASK_EVERY_MS), usual, NOW)).toEqual({ judgement: refused("not_a_member"), ask: true });
  });

  it("asks at once where the answer is old, however short its age is", () => {
    const short = { ...usual, lifetime: { maxAgeMs: 2000, graceMs: 0 } };
    expect(judge(answered(2000), short, NOW)).toEqual({ judgement: refused("unverified"), ask: true });
  });

  it("follows the policy of now, not that of the answer's time", () => {
    expect(judge(answered(0), { ...usual, policy: [] }, NOW)).toEqual({
      judgement: refused("empty_policy"),
      ask: false,
    });
    const both = [inAcme("active"), inCore("active")];
    expect(judge(answered(0, both), { ...usual, policy: [ACME, CORE] }, NOW).judgement).toMatchObject({
      role: "admin",
    });
    expect(judge(answered(0, both), { ...usual, policy: [ACME] }, NOW).judgement).toMatchObject({
      role: "member",
    });
  });

  it("asks at once about an entity that GitHub was not asked about", () => {
    expect(judge(answered(0), { ...usual, policy: [CORE] }, NOW)).toEqual({
      judgement: refused("unknown"),
      ask: true,
    });
  });

  it("leaves GitHub alone for as long as it wants", () => {
    const limited = { ...usual, askAfter: NOW + 1 };
    expect(judge(answered(MAX_AGE_MS), limited, NOW)).toEqual({ judgement: admitted, ask: false });
    expect(judge(answered(MAX_AGE_MS), { ...usual, askAfter: NOW }, NOW).ask).toBe(true);
  });

  it("does not believe an answer from the future", () => {
    expect(judge(answered(-120_000), usual, NOW).judgement).toEqual(refused("unverified"));
  });

  it.each(["pending", "none", "sso_required", "not_installed", "unknown"] as const)(
    "lets nobody in who is %s",
    (state) => {
      expect(judge(answered(0, [inAcme(state)]), usual, NOW).judgement.admitted).toBe(false);
    },
  );
});

describe("an answer in parts", () => {
  it("keeps what is known where GitHub does not tell, and its age", () => {
    const former = known(1000);
    const merged = mergeAnswer(former, known(0, [inAcme("unknown")]), [ACME]);
    expect(merged).toEqual(former);
  });

  it("takes what GitHub does tell", () => {
    const former = known(1000, [inAcme("active"), inCore("none")]);
    const merged = mergeAnswer(former, known(0, [inAcme("none"), inCore("unknown")]), [ACME, CORE]);
    expect(merged).toEqual(known(1000, [inAcme("none"), inCore("none")]));
  });

  it("is as good as a whole one where it settles the matter", () => {
    const former = known(1000);
    const answer = known(0, [inAcme("active"), inCore("unknown")]);
    expect(mergeAnswer(former, answer, [ACME, CORE])).toEqual(answer);
    const lost = known(0, [inAcme("none")]);
    expect(mergeAnswer(former, lost, [ACME])).toEqual(lost);
    expect(mergeAnswer(undefined, known(0, [inAcme("unknown")]), [ACME])).toEqual(
      known(0, [inAcme("unknown")]),
    );
  });
});

describe("settings", () => {
  it("have defaults, in their place too where they cannot be read", () => {
    const usualLifetime = { maxAgeMs: 3_600_000, graceMs: 14_400_000 };
    expect(answerLifetime({})).toEqual(usualLifetime);
    for (const bad of ["", "0", "-1", "1.5", "1e9", "Infinity", "1 h", "99999999"]) {
      const env = { MEMBERSHIP_MAX_AGE_SECONDS: bad, MEMBERSHIP_GRACE_SECONDS: bad === "0" ? "x" : bad };
      expect(answerLifetime(env)).toEqual(usualLifetime);
      expect(admissionProblems(env)).toHaveLength(2);
    }
  });

  it("are taken where they can", () => {
    const env = { MEMBERSHIP_MAX_AGE_SECONDS: "5", MEMBERSHIP_GRACE_SECONDS: "0" };
    expect(answerLifetime(env)).toEqual({ maxAgeMs: 5000, graceMs: 0 });
    expect(admissionProblems(env)).toEqual([]);
    expect(admissionProblems({})).toEqual([]);
  });

  it("an admission is current while it is young and allows", () => {
    const env = { MEMBERSHIP_MAX_AGE_SECONDS: "5" };
    const at = (ageMs: number, allowed = true) => ({ allowed, checkedAt: NOW - ageMs });
    expect(isAdmissionCurrent(at(4999), env, NOW)).toBe(true);
    expect(isAdmissionCurrent(at(5000), env, NOW)).toBe(false);
    expect(isAdmissionCurrent(at(0, false), env, NOW)).toBe(false);
    expect(isAdmissionCurrent(null, env, NOW)).toBe(false);
    expect(isAdmissionCurrent(at(-120_000), env, NOW)).toBe(false);
  });
});
