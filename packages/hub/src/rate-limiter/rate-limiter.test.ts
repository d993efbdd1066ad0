/** The object that counts, in workerd: exact under a burst, across evictions, and gone once the window is over. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { countExact, EXACT_LIMITS } from "../auth/rate-limits.ts";

const RULE = { max: 5, windowMs: 60_000 };

const named = (name: string) => env.RATE_LIMITER.getByName(name);
const from = (ip: string) =>
  new Request("http://hub.localhost:8787/", { headers: { "cf-connecting-ip": ip } });

test("lets exactly as many of a burst through as the rule says", async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, () => named("burst").count(RULE)));
  expect(answers.filter(({ allowed }) => allowed)).toHaveLength(5);
  expect(answers.at(-1)).toEqual({ allowed: false, retryAfterSeconds: 60 });
});

test("keeps its count when it is evicted", async () => {
  for (let count = 0; count < 5; count++) {
    expect(await named("evicted").count(RULE)).toEqual({ allowed: true });
    await evictDurableObject(named("evicted"));
  }
  expect((await named("evicted").count(RULE)).allowed).toBe(false);
});

test("counts each kind and each place for itself", async () => {
  const { max } = EXACT_LIMITS["failed-callback"];
  for (let count = 0; count < max; count++)
    expect(await countExact(env, "failed-callback", from("192.0.2.1"))).toEqual({ allowed: true });
  expect(await countExact(env, "failed-callback", from("192.0.2.1"))).toEqual({
    allowed: false,
    retryAfterSeconds: 600,
  });
  expect(await countExact(env, "failed-code", from("192.0.2.1"))).toEqual({ allowed: true });
  expect(await countExact(env, "failed-callback", from("192.0.2.2"))).toEqual({ allowed: true });
});

test("forgets everything by an alarm once the window is over, and not before", async () => {
  const stub = named("forgetful");
  await stub.count(RULE);
  const begun = Date.now();
  const alarmAt = await runInDurableObject(stub, (_, { storage }) => storage.getAlarm());
  expect(alarmAt).toBeGreaterThan(begun + RULE.windowMs - 5_000);
  expect(alarmAt).toBeLessThanOrEqual(begun + RULE.windowMs);

  // The alarm of the first attempt, while a later one still counts: moved on, not lost.
  await runInDurableObject(stub, (_, { storage }) => storage.kv.put("attempts", [begun - 59_000, begun]));
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  expect(await runInDurableObject(stub, (_, { storage }) => storage.getAlarm())).toBe(begun + RULE.windowMs);

  await runInDurableObject(stub, (_, { storage }) => storage.kv.put("attempts", [begun - 60_000]));
  expect(await runDurableObjectAlarm(stub)).toBe(true);
  const left = await runInDurableObject(stub, async (_, { storage }) => [
    ...storage.kv.list(),
    await storage.getAlarm(),
  ]);
  expect(left).toEqual([null]);
  expect(await stub.count(RULE)).toEqual({ allowed: true });
});

test("writes no more than the attempts it counts, however long somebody hammers", async () => {
  const stub = named("hammered");
  const writes = await runInDurableObject(stub, async (object, { storage }) => {
    let puts = 0;
    const { kv } = storage;
    const put = kv.put.bind(kv);
    Object.defineProperty(kv, "put", { value: (key: string, value: unknown) => (puts++, put(key, value)) });
    for (let count = 0; count < 200; count++) await object.count(RULE);
    return puts;
  });
  expect(writes).toBeLessThanOrEqual(2 * RULE.max);
});
