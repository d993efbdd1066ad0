/**
 * Sign-ins that have something open: dashboards, WebSockets and long answers of instances. What is open asks nobody, so the
 * object that holds it asks after them by alarm: when GitHub's answer about the person grows too old, when the sign-in
 * itself ends, and never later than the age an answer may have. Something open counts as use only when its page sends.
 */
import { findSession, touchSession, type SessionRow } from "../db/sessions.ts";
import type { Env } from "../env.ts";
import { isAdmissionCurrent, membershipMaxAgeMs } from "./admission.ts";
import { isLocalHub, LOCAL_USER } from "./local.ts";
import { ACCESS_MS, IDLE_MS, knownAdmission } from "./session.ts";
import { errorName, log } from "../log.ts";

/** While an answer stays too old, as when GitHub is away, and where nobody could be asked. */
const RETRY_MS = 60_000;
/** No object is woken more often, whatever is due. */
const MIN_GAP_MS = 1000;
/** What nobody could ask about for this long after it was due is closed; its sign-in may be good all the same. */
const UNCHECKED_MAX_MS = 15 * 60_000;

/** One sign-in, whatever it has open; times are milliseconds since the epoch. */
export interface OpenSession {
  sessionId: string;
  /** When it must be asked after. */
  checkAt: number;
  /** When one of its pages last sent something; 0 for never. */
  usedAt: number;
}

/**
 * Asks D1 after a sign-in and, where that is due, `isAdmitted` after its person. When to ask again, or null where it has ended.
 */
export async function checkOpenSession(
  env: Env,
  open: Omit<OpenSession, "checkAt"> & { userId: string },
  isAdmitted: () => Promise<boolean>,
  now: number,
): Promise<number | null> {
  const row = await findSession(env.DB, open.sessionId);
  if (row?.user_id !== open.userId) return null;
  const usedAt = Math.max(row.last_used_at, open.usedAt);
  const endsAt = Math.min(row.expires_at, usedAt + IDLE_MS);
  // Nor does use that came too late bring it back.
  if (endsAt <= now || row.last_used_at + IDLE_MS <= usedAt) return null;
  if (row.last_used_at + ACCESS_MS <= usedAt) await touchSession(env.DB, row.id, usedAt);
  const known = isCurrent(env, row, now) ? row : await askAgain(env, row, isAdmitted);
  if (known === null) return null;
  const maxAgeMs = membershipMaxAgeMs(env);
  const knownAt = known.user_id === LOCAL_USER.id ? now : (known.checked_at ?? 0);
  const isTooOld = knownAt + maxAgeMs <= now;
  return Math.min(endsAt, isTooOld ? now + Math.min(RETRY_MS, maxAgeMs) : knownAt + maxAgeMs);
}

async function askAgain(
  env: Env,
  row: SessionRow,
  isAdmitted: () => Promise<boolean>,
): Promise<SessionRow | null> {
  return (await isAdmitted()) ? findSession(env.DB, row.id) : null;
}

function isCurrent(env: Env, row: SessionRow, now: number): boolean {
  if (row.user_id === LOCAL_USER.id) return isLocalHub(env);
  return isAdmissionCurrent(knownAdmission(row), env, now);
}

/** What came of asking after sign-ins, by their ids. */
export interface Rechecked {
  ended: string[];
  /** Nobody could ask after them for too long: what they have open is closed, and no more than that. */
  unchecked: string[];
  /** When to ask after the others again. */
  checkAt: Map<string, number>;
}

/** Looks after the sign-ins that have something open at one object. */
export class SessionWatch {
  readonly #check: (open: OpenSession, now: number) => Promise<number | null>;
  #notBefore = 0;

  /** `check` says when to ask again, or null where the sign-in has ended; it may fail. */
  constructor(check: (open: OpenSession, now: number) => Promise<number | null>) {
    this.#check = check;
  }

  /** When the next of them is due; null where nothing is open. */
  dueAt(open: readonly OpenSession[]): number | null {
    if (open.length === 0) return null;
    return Math.max(this.#notBefore, Math.min(...open.map(({ checkAt }) => checkAt)));
  }

  /** Asks after those that are due. */
  async recheck(open: readonly OpenSession[], now: number): Promise<Rechecked> {
    const [ended, unchecked]: [string[], string[]] = [[], []];
    const checkAt = new Map<string, number>();
    this.#notBefore = now + MIN_GAP_MS;
    const ask = async (session: OpenSession) => {
      const next = await this.#ask(session, now);
      if (next === null) ended.push(session.sessionId);
      else if (next === "unchecked") unchecked.push(session.sessionId);
      else checkAt.set(session.sessionId, next);
    };
    await Promise.all([...bySession(open).values()].filter((one) => one.checkAt <= now).map(ask));
    return { ended, unchecked, checkAt };
  }

  async #ask(open: OpenSession, now: number): Promise<number | null | "unchecked"> {
    try {
      return await this.#check(open, now);
    } catch (error) {
      log("session_unchecked", { error: errorName(error) });
      this.#notBefore = now + RETRY_MS;
      return now < open.checkAt + UNCHECKED_MAX_MS ? open.checkAt : "unchecked";
    }
  }
}

/** One entry for each sign-in: due when the first of what it has open is, used when the last was. */
function bySession(open: readonly OpenSession[]): Map<string, OpenSession> {
  const merged = new Map<string, OpenSession>();
  for (const one of open) {
    const known = merged.get(one.sessionId) ?? one;
    merged.set(one.sessionId, {
      sessionId: one.sessionId,
      checkAt: Math.min(known.checkAt, one.checkAt),
      usedAt: Math.max(known.usedAt, one.usedAt),
    });
  }
  return merged;
}
