import { afterAll, beforeAll, expect, it } from "vitest";
import { ask, signedIn, type Person } from "../../test/hub.ts";
import { meter, onPlan } from "../../test/usage.ts";
import { routes } from "../routes.ts";

let admin: Person;
beforeAll(async () => {
  admin = await signedIn("github:1", "admin");
});
afterAll(() => onPlan({}));

/** As it is read, without tags. */
async function page(): Promise<string> {
  const response = await ask(routes.usage, { person: admin });
  expect(response.status).toBe(200);
  return (await response.text())
    .replaceAll(/<[^>]+>/g, " ")
    .replaceAll(/\s+/g, " ")
    .replaceAll(/ ([,.:])/g, "$1");
}

it("is for administrators, and stands where they find it", async () => {
  expect((await ask(routes.usage, { person: await signedIn("ann") })).status).toBe(403);
  const link = `href="${routes.usage}"`;
  expect(await (await ask(routes.settings, { person: admin })).text()).toContain(link);
  expect(await (await ask(routes.settings, { person: await signedIn("ann") })).text()).not.toContain(link);
});

it("says where nothing was noted yet, and that one's own machine costs nothing", async () => {
  await onPlan({ PLAN: "local" });
  const text = await page();
  expect(text).toContain("This machine’s hub costs nothing. Nothing has been noted yet.");
  expect(text).not.toContain("Paid plan, USD");
});

it("says of one's own machine what the same would cost elsewhere", async () => {
  await onPlan({ PLAN: "local" });
  await meter.add({ rows_written: 90_000_000 });
  const text = await page();
  expect(text).toMatch(/On Cloudflare’s paid plan the same would cost about [\d,]+\.\d\d USD this month\./);
  // Nothing bounds it, whatever it would be elsewhere.
  expect(text).toContain("100,000 a day");
  expect(text).not.toContain("Used up");
});

it("shows what was counted, how far that may be off, and what it comes to", async () => {
  await onPlan({ PLAN: "paid" });
  await meter.add({ object_requests: 30_000, messages: 60_000, d1_rows_written: 200 });
  const text = await page();
  // 30,000 and 60,000 / 20; twice the root of 30,000 × 300 + 60,000 × 3,000 / 400.
  expect(text).toContain("object requests messages counted 20 to 1 33,000 ± 19 % 33,000 ± 19 %");
  expect(text).toContain("33 % of 100,000 a day");
  // One note of 200 may stand for anything from a few to a thousand: no share of it says how far it is off.
  expect(text).toContain("D1 rows written 200 a guess 200 a guess");
  expect(text).toContain("No budget is set, so nothing is ever slowed for it.");
  expect(text).toContain("With the 5.00 USD of the plan itself");
  expect(text).not.toContain("Nothing has been noted yet");
});

it("says what the hub does near the end of a quota, since when and until when", async () => {
  await onPlan({ PLAN: "free" });
  await meter.add({ object_requests: 72_000 });
  expect(await page()).toMatch(
    /Getting tight The day’s object requests: 72 % used. This level came now. The quota begins anew in/,
  );
  await meter.add({ object_requests: 15_000 });
  expect(await page()).toMatch(
    /Scarce The day’s object requests: 87 % used.* Pages of instances open without/,
  );
  await meter.add({ object_requests: 15_000 });
  const text = await page();
  expect(text).toMatch(/Used up, but for what must go on The day’s object requests: 102 % used/);
  expect(text).toMatch(/The quota begins anew in \d+ (d|h|min), on \d+ \w+, 00:00 UTC/);
  expect(text).toContain("refused with quota_reached");
});

it("holds a month to its budget", async () => {
  await onPlan({ PLAN: "paid", MONTHLY_BUDGET_USD: "10" });
  expect(await page()).toContain("The budget is 10.00 USD. Nothing is slowed or left away.");
  await meter.add({ rows_written: 60_000_000 });
  expect(await page()).toMatch(/Used up, but for what must go on The month’s budget: \d+ % used/);
});

it("says what is wrong with its settings", async () => {
  await onPlan({ PLAN: "<b>fre", MONTHLY_BUDGET_USD: "4" });
  const text = await page();
  expect(text).toContain("PLAN is neither free, paid nor local, so paid is taken.");
  expect(text).toContain("MONTHLY_BUDGET_USD is no number of USD from 5 up");
});
