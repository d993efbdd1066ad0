import { expect, test } from "vitest";
import { usageAt, type UsageDay } from "./forecast.ts";
import { dayAt, endOf, monthAt } from "./periods.ts";

const at = (text: string): number => Date.parse(`${text}Z`);

/** So many object requests on a day, noted in its hours as given, or evenly. */
function day(date: string, requests: number, hours = Array.from({ length: 24 }, () => 10)): UsageDay {
  return { day: dayAt(at(`${date}T00:00:00`)), amounts: { object_requests: requests }, hours };
}

const requests = (days: UsageDay[], now: string) => {
  const { today, month, todayForecast, monthForecast, daysKnown } = usageAt(days, at(now));
  return {
    today: today.object_requests ?? 0,
    month: month.object_requests ?? 0,
    todayForecast: Math.round(todayForecast.object_requests ?? 0),
    monthForecast: Math.round(monthForecast.object_requests ?? 0),
    daysKnown,
  };
};

test("nothing comes to nothing", () => {
  expect(requests([], "2026-11-21T12:00:00")).toEqual({
    today: 0,
    month: 0,
    todayForecast: 0,
    monthForecast: 0,
    daysKnown: 0,
  });
});

test("on its first day a hub is taken to go on as it began", () => {
  expect(requests([day("2026-11-21", 600)], "2026-11-21T12:00:00")).toEqual({
    today: 600,
    month: 600,
    todayForecast: 1200,
    // And nine days more.
    monthForecast: 12_000,
    daysKnown: 0,
  });
});

test("the days to come are as the last seven, those on which nothing was among them", () => {
  const days = [day("2026-11-14", 700), day("2026-11-20", 700), day("2026-11-21", 100), day("2026-11-01", 5)];
  const { month, monthForecast, todayForecast, daysKnown } = requests(days, "2026-11-21T12:00:00");
  expect([month, daysKnown]).toEqual([1505, 7]);
  expect(todayForecast).toBe(200);
  expect(monthForecast).toBe(1405 + 200 + 9 * 200);
});

test("a hub that is younger than seven days is judged by the days it has", () => {
  const days = [day("2026-11-19", 300), day("2026-11-21", 100)];
  const { monthForecast, daysKnown } = requests(days, "2026-11-21T12:00:00");
  expect(daysKnown).toBe(2);
  expect(monthForecast).toBe(300 + 200 + 9 * 150);
});

test("today is taken as far as days before had come by this time", () => {
  const morning = Array.from({ length: 24 }, (_, hour) => (hour < 6 ? 40 : 1));
  const days = [day("2026-11-20", 1000, morning), day("2026-11-21", 500)];
  // By six it was 240 of 258 notes.
  expect(requests(days, "2026-11-21T06:00:00").todayForecast).toBe(Math.round((500 * 258) / 240));
  // Within an hour evenly.
  expect(requests(days, "2026-11-21T05:30:00").todayForecast).toBe(Math.round((500 * 258) / 220));
});

test("early in the day, what is left of it is as on the days before", () => {
  const days = [day("2026-11-20", 1000), day("2026-11-21", 7)];
  expect(requests(days, "2026-11-21T00:00:30").todayForecast).toBe(7 + Math.round(1000 * (1 - 30 / 86_400)));
});

test("days and months end in UTC", () => {
  const days = [day("2026-11-30", 50), day("2026-12-01", 3)];
  expect(requests(days, "2026-11-30T23:59:59")).toMatchObject({ today: 50, month: 50 });
  expect(requests(days, "2026-12-01T00:00:00")).toMatchObject({ today: 3, month: 3 });
  expect(endOf("day", at("2026-11-30T23:59:59"))).toBe(at("2026-12-01T00:00:00"));
  expect(endOf("month", at("2026-12-31T23:59:59"))).toBe(at("2027-01-01T00:00:00"));
  expect(monthAt(at("2028-02-29T12:00:00"))).toEqual({
    first: dayAt(at("2028-02-01T00:00:00")),
    next: dayAt(at("2028-03-01T00:00:00")),
  });
  // The last day of a month has none to come.
  expect(requests([day("2026-11-30", 50)], "2026-11-30T12:00:00").monthForecast).toBe(100);
});

test("days that are yet to come, of a clock that was ahead, count for nothing", () => {
  const days = [day("2026-11-21", 600), day("2027-03-01", 1e9)];
  expect(requests(days, "2026-11-21T12:00:00")).toMatchObject({
    month: 600,
    monthForecast: 12_000,
    daysKnown: 0,
  });
});
