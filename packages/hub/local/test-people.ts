/** People of a hub in tests and measurements, as if GitHub had just said that they belong. */
import { HUB_COOKIE_PREFIX } from "../src/auth/cookies.ts";
import { issueInstanceToken } from "../src/auth/token.ts";
import { saveAdmission } from "../src/db/admissions.ts";
import { createSession } from "../src/db/sessions.ts";
import { upsertUser } from "../src/db/users.ts";
import { randomSecret } from "../src/secrets.ts";
import type { TestPerson } from "./hub-messages.ts";

/** What the hub must let in, by its settings, for these people to stay: `ALLOWED_ORGS`. */
const ORGANIZATION = { kind: "organization", id: 1, name: "test", state: "active" } as const;
const HOUR_MS = 60 * 60_000;
const AT_ONCE = 50;

/** Adds this many, each signed in and with a token. */
export async function createPeople(db: D1Database, count: number): Promise<TestPerson[]> {
  const people: TestPerson[] = [];
  while (people.length < count) {
    const ids = Array.from(
      { length: Math.min(AT_ONCE, count - people.length) },
      (_, at) => people.length + at + 1,
    );
    people.push(...(await Promise.all(ids.map((id) => createPerson(db, id, Date.now())))));
  }
  return people;
}

async function createPerson(db: D1Database, id: number, now: number): Promise<TestPerson> {
  const [userId, login] = [`github:${id}`, `person-${id}`];
  await upsertUser(db, { id: userId, login, name: login });
  const memberships = { userId: id, login, of: [ORGANIZATION], checkedAt: now };
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
