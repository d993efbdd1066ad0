import { expect, test } from "vitest";
import document from "../../../../docs/cost.md?raw";
import { readCostDocument } from "../../test/cost-document.ts";
import { BILL, PRICES_OF, quantityOf, usdOf, varianceOf } from "./prices.ts";

const documented = readCostDocument(document);

test("prices are those of docs/cost.md", () => {
  for (const { name, included, price } of BILL)
    expect([name, documented.bill[name]]).toEqual([name, expect.objectContaining({ included, price })]);
  expect(document).toContain(PRICES_OF);
});

test("what the free plan gives in a day is what docs/cost.md says", () => {
  const daily = BILL.filter(({ free }) => free.period === "day");
  for (const { name, free } of daily)
    expect([name, documented.free[name]?.allowed]).toEqual([name, free.amount]);
});

test("a line is what its units weigh, and costs what is beyond the included", () => {
  const [, requests, duration] = BILL;
  if (requests === undefined || duration === undefined) throw new Error("There is no such line.");
  expect(quantityOf(requests, { object_requests: 10, messages: 40, rows_read: 7 })).toBe(12);
  expect(quantityOf(duration, { object_requests: 100, messages: 100, awake_seconds: 10 })).toBeCloseTo(
    (100 * 0.02 + 100 * 0.01 + 10) * 0.128,
  );
  expect(usdOf(requests, 999_999)).toBe(0);
  expect(usdOf(requests, 3_000_000)).toBeCloseTo(0.3);
  // 10 in steps of 300, and 40 in steps of 3000, of which each counts a twentieth.
  const variance = varianceOf(requests, { object_requests: 10, messages: 40 }, (unit) =>
    unit === "messages" ? 3000 : 300,
  );
  expect(variance).toBeCloseTo(10 * 300 + (40 * 3000) / 400);
});
