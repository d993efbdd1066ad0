/** Whom a version 1 instance names: found by anybody's dial, so it must cost little. */
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { admit } from "../../test/hub.ts";
import { upsertUser } from "../db/users.ts";
import { namedPeople } from "./names.ts";

test("twenty users are found in one look at the database, by login in any case", async () => {
  for (const [id, login] of [
    ["github:11", "Ann"],
    ["github:12", "bob"],
    ["github:13", "carol"],
  ] as const)
    await upsertUser(env.DB, { id, login, name: login });
  await admit("github:12");
  let queries = 0;
  const counted = new Proxy(env.DB, {
    get: (db, name) => {
      if (name !== "prepare") return Reflect.get(db, name) as unknown;
      queries++;
      return (sql: string) => db.prepare(sql);
    },
  });
  const others = Array.from({ length: 17 }, (_, index) => `nobody-${index}`);
  const users = ["ann", "BOB", ...others];
  const people = await namedPeople(counted, { users, organization: null, team: null });
  expect(people.toSorted()).toEqual(["github:11", "github:12"]);
  expect(queries).toBe(1);
  expect(await namedPeople(env.DB, { users: [], organization: null, team: null })).toEqual([]);
});
