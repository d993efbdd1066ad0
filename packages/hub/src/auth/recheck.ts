/** Asks after everybody whom something concerns: after a change of the policy, and what GitHub's webhooks tell of many. */
import { ageAdmissions, listAdmitted, type AdmissionRecord } from "../db/admissions.ts";
import type { Env } from "../env.ts";
import { membershipMaxAgeMs } from "./admission.ts";
import { loadPolicyInForce } from "./policy-store.ts";
import { decide } from "./policy.ts";

type UserHubStub = ReturnType<Env["USER_HUB"]["getByName"]>;
export type AdmittedPerson = AdmissionRecord & { userId: string };

/** People read from D1 at once, and UserHubs that work at once. */
const PAGE = 200;
const AT_ONCE = 20;

/** Takes a changed policy into account: who is not let in by it any more loses everything that is open, at once. */
export async function recheckEveryone(env: Env): Promise<void> {
  const entities = await loadPolicyInForce(env);
  const isConcerned = ({ memberships, role }: AdmittedPerson) => {
    const decision = decide(memberships, entities);
    return !decision.allowed || decision.role !== role;
  };
  await forAdmitted(env, isConcerned, (hub) => hub.admission());
}

/**
 * Does something with the UserHub of each admitted person whom it concerns. One that fails keeps no other from its turn, and
 * its person is asked after when they come next; throws at the end if any has.
 */
export async function forAdmitted(
  env: Env,
  isConcerned: (person: AdmittedPerson) => boolean,
  act: (hub: UserHubStub) => Promise<unknown>,
): Promise<void> {
  const failures: unknown[] = [];
  let page: AdmittedPerson[];
  let after = "";
  do {
    page = await listAdmitted(env.DB, { after, limit: PAGE });
    after = page.at(-1)?.userId ?? after;
    const concerned = page.filter(isConcerned);
    for (let first = 0; first < concerned.length; first += AT_ONCE) {
      const some = concerned.slice(first, first + AT_ONCE);
      const outcomes = await Promise.allSettled(
        some.map(({ userId }) => act(env.USER_HUB.getByName(userId))),
      );
      const missed = some.filter((_, index) => outcomes[index]?.status === "rejected");
      for (const outcome of outcomes) if (outcome.status === "rejected") failures.push(outcome.reason);
      if (missed.length > 0) await ageAnswers(env, missed);
    }
  } while (page.length === PAGE);
  if (failures.length > 0)
    throw new AggregateError(failures, `${failures.length} people could not be asked after.`);
}

async function ageAnswers(env: Env, people: readonly AdmittedPerson[]): Promise<void> {
  const userIds = people.map(({ userId }) => userId);
  await ageAdmissions(env.DB, userIds, Date.now() - membershipMaxAgeMs(env));
}
