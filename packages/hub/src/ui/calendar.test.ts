import { expect, test } from "vitest";
import { createCalendar } from "./calendar.ts";

const vienna = createCalendar("Europe/Vienna");
const at = (text: string) => Date.parse(text);

test.each([
  ["2025-11-03T14:05:09Z", "Today"],
  ["2025-11-02T23:00:00Z", "Today"],
  ["2025-11-02T22:59:59Z", "Yesterday"],
  ["2025-11-01T23:00:00Z", "Yesterday"],
  ["2025-11-01T22:59:59Z", "Saturday 1 November"],
  ["2024-12-31T12:00:00Z", "Tuesday, 31 December 2024"],
  // An instance's clock may be ahead.
  ["2025-11-04T12:00:00Z", "Tuesday 4 November"],
])("%s is %s, seen from that afternoon in Vienna", (when, words) => {
  expect(vienna.dayWords(at(when), at("2025-11-03T15:00:00Z"))).toBe(words);
});

test.each([
  // The clocks went back on the 26th: that day had 25 hours.
  ["2025-10-25T21:30:00Z", "2025-10-26T22:30:00Z", "Yesterday"],
  ["2025-10-24T21:30:00Z", "2025-10-26T22:30:00Z", "Friday 24 October"],
  // And forward on the 30th: 23 hours.
  ["2025-03-29T22:30:00Z", "2025-03-30T22:30:00Z", "Saturday 29 March"],
  ["2025-03-30T20:30:00Z", "2025-03-30T22:30:00Z", "Yesterday"],
])("the day before is yesterday however long days are: %s seen at %s", (when, now, words) => {
  expect(vienna.dayWords(at(when), at(now))).toBe(words);
});

test("times are of the zone, midnight is hour 0", () => {
  expect(vienna.day(at("2025-11-02T23:00:00Z"))).toBe("2025-11-03");
  expect(vienna.time(at("2025-11-02T23:00:05Z"))).toBe("00:00");
  expect(vienna.time(at("2025-11-02T23:00:05Z"), true)).toBe("00:00:05");
  expect(vienna.exact(at("2025-11-02T23:00:05Z"))).toBe("Mon, 3 Nov 2025, 00:00:05 CET");
});

test.each([
  ["nothing", ""],
  ["one that is not there", "Nowhere/Else"],
  ["markup", "<script>"],
  ["a long one", "x".repeat(10_000)],
])("%s is no zone: UTC is taken", (_, zone) => {
  const calendar = createCalendar(zone);
  expect(calendar.zone).toBe("UTC");
  expect(calendar.time(at("2025-11-02T23:00:05Z"))).toBe("23:00");
});

test("the last time there is has a day too", () => {
  expect(vienna.dayWords(8_640_000_000_000_000 - 1, 0)).toContain("275760");
});
