/** People of a hub in tests and measurements, as if GitHub had just said that they belong. */
import { HUB_COOKIE_PREFIX } from "../src/auth/cookies.ts";
import { issueInstanceToken } from "../src/auth/token.ts";
import { saveAdmission } from "../src/db/admissions.ts";
import { createSession } from "../src/db/sessions.ts";
import { upsertUser } from "../src/db/users.ts";
import { randomSecret } from "../src/secrets.ts";
import type { TestPerson } from "./hub-messages.ts";

const HOUR_MS = 60 * 60_000;

/** Adds this many, each signed in and with a token. */
export async function createPeople(db: D1Database, count: number): Promise<TestPerson[]> {
  const people: TestPerson[] = [];
  for (let id = 1; id <= count; id++) people.push(await createPerson(db, id, Date.now()));
  return people;
}

async function createPerson(db: D1Database, id: number, now: number): Promise<TestPerson> {
  const [userId, login] = [`github:${id}`, `person-${id}`];
  await upsertUser(db, { id: userId, login, name: login });
  const memberships = { userId: id, login, of: [], checkedAt: now };
  await saveAdmission(db, userId, {
    memberships,
    triedAt: now,
    allowed: true,
    role: "member",
    reason: "test",
  });
  const [session, secret] = [randomSecret(12), randomSecret()];
  const from = { userAgent: "test", ip: null, place: null };
  await createSession(db, { id: session, secret, userId, ...from, now, expiresAt: now + HOUR_MS });
  const { text } = await issueInstanceToken(db, { userId, name: "test" });
  return { token: text, cookie: `${HUB_COOKIE_PREFIX}session=${session}.${secret}` };
}
