/** When GitHub's last answer about a person still counts. Pure; asking again is the UserHub's business. */
import type { Env } from "../env.ts";
import { LOCAL_USER } from "./local.ts";

type AdmissionSettings = Pick<Env, "MEMBERSHIP_MAX_AGE_SECONDS" | "MEMBERSHIP_GRACE_SECONDS">;

const DEFAULT_MAX_AGE_SECONDS = 3600;

/** What D1 remembers of a person's admission; null where GitHub was never asked. */
export interface KnownAdmission {
  allowed: boolean;
  /** When GitHub last answered, milliseconds since the epoch. */
  checkedAt: number;
}

/** True where the person is admitted and need not be asked after; false means: ask `UserHub.admission()`. */
export function isAdmissionCurrent(
  userId: string,
  known: KnownAdmission | null,
  env: AdmissionSettings,
  now: number,
): boolean {
  if (userId === LOCAL_USER.id) return true;
  return known !== null && known.allowed && now < known.checkedAt + membershipMaxAgeMs(env);
}

/** How long an answer counts before GitHub is asked again, in milliseconds. */
export function membershipMaxAgeMs({ MEMBERSHIP_MAX_AGE_SECONDS }: AdmissionSettings): number {
  const seconds = Number(MEMBERSHIP_MAX_AGE_SECONDS ?? DEFAULT_MAX_AGE_SECONDS);
  return (Number.isFinite(seconds) && seconds > 0 ? seconds : DEFAULT_MAX_AGE_SECONDS) * 1000;
}
