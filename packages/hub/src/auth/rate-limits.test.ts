import { env } from "cloudflare:workers";
import { describe, expect, test } from "vitest";
import docs from "../../../../docs/tokens.md?raw";
import { checkEdge, DIALS, EXACT_LIMITS, takeAttempt, type RateLimitRule } from "./rate-limits.ts";

const RULE = { max: 3, windowMs: 10_000 };

describe("one more attempt", () => {
  /** Makes an attempt at each of these times; a number says after how many seconds the next one is allowed. */
  function attemptsAt(...times: number[]): (true | number)[] {
    let before: number[] = [];
    return times.map((now) => {
      const { attempts, decision } = takeAttempt(before, RULE, now);
      before = attempts;
      return decision.allowed || decision.retryAfterSeconds;
    });
  }

  test("is allowed as often as the rule says in any window, wherever it begins", () => {
    expect(attemptsAt(0, 0, 0, 0, 9_999, 10_000)).toEqual([true, true, true, 10, 1, true]);
    // The window slides: a burst at the end of one and another at the beginning of the next are one burst.
    expect(attemptsAt(9_000, 9_500, 9_900, 10_100, 18_999, 19_000, 19_001)).toEqual([
      true,
      true,
      true,
      9,
      1,
      true,
      1,
    ]);
  });

  test("is not counted where it is refused, so that who keeps trying is let in again", () => {
    const hammering = Array.from({ length: 100 }, (_, index) => index * 200);
    expect(attemptsAt(...hammering).filter((allowed) => allowed === true)).toHaveLength(6);
    expect(takeAttempt([1, 2, 3], RULE, 4).attempts).toEqual([1, 2, 3]);
  });

  test("a clock that was set back locks nobody out", () => {
    expect(attemptsAt(1e12, 1e12, 1e12, 5)).toEqual([true, true, true, true]);
  });

  test("asks for a wait that is long enough, to the second", () => {
    for (let now = 0; now < 10_000; now += 37) {
      const { decision } = takeAttempt([0, 0, 0], RULE, now);
      if (decision.allowed) throw new Error("one too many");
      expect(takeAttempt([0, 0, 0], RULE, now + decision.retryAfterSeconds * 1000).decision.allowed).toBe(
        true,
      );
    }
  });
});

describe("the edge", () => {
  const from = (ip?: string) =>
    new Request(
      "http://hub.localhost:8787/",
      ip === undefined ? {} : { headers: { "cf-connecting-ip": ip } },
    );

  test("counts by place, for bursts", async () => {
    const answers = [];
    for (let count = 0; count < 70; count++)
      answers.push(await checkEdge(env.EDGE_SIGN_IN, from("192.0.2.70")));
    // It counts in windows of its own, one of which may end in between.
    expect(answers.filter(({ allowed }) => allowed).length).toBeLessThan(70);
    expect(answers.at(-1)).toEqual({ allowed: false, retryAfterSeconds: 60 });
    expect(await checkEdge(env.EDGE_SIGN_IN, from("192.0.2.71"))).toEqual({ allowed: true });
  });

  test("takes a network of IPv6 for one place", async () => {
    for (let count = 0; count < 70; count++)
      await checkEdge(env.EDGE_SIGN_IN, from(`2001:db8:0:7::${count.toString(16)}`));
    expect((await checkEdge(env.EDGE_SIGN_IN, from("2001:db8:0:7:ffff::1"))).allowed).toBe(false);
    expect((await checkEdge(env.EDGE_SIGN_IN, from("2001:db8:0:8::1"))).allowed).toBe(true);
  });

  test("counts nobody on a hub of one's own machine", async () => {
    for (let count = 0; count < 70; count++)
      expect(await checkEdge(env.EDGE_SIGN_IN, from())).toEqual({ allowed: true });
  });
});

test("docs/tokens.md names every exact limit", () => {
  const windows: Record<string, number> = { "ten seconds": 10_000, minute: 60_000, "ten minutes": 600_000 };
  const written = [...docs.matchAll(/exactly (\d+) in any (ten seconds|ten minutes|minute)/g)].map(
    ([, max, window = ""]) => ({ max: Number(max), windowMs: windows[window] ?? 0 }),
  );
  const known = [DIALS, ...Object.values(EXACT_LIMITS)];
  const byNumbers = (one: RateLimitRule, other: RateLimitRule) =>
    one.windowMs - other.windowMs || one.max - other.max;
  expect(written.toSorted(byNumbers)).toEqual(known.toSorted(byNumbers));
});
