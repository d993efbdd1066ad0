/** Days and times of day as a person reads them where they are. Pure but for the platform's knowledge of time zones. */

export interface Calendar {
  /** The zone's name, e.g. `Europe/Vienna`. */
  zone: string;
  /** The day on which something was, "2025-11-03". */
  day(at: number): string;
  /** That day as a heading, seen at `now`: "Today", "Yesterday", "Monday 3 November", with the year where it is another. */
  dayWords(at: number, now: number): string;
  /** The time of that day, "14:05"; with seconds "14:05:09". */
  time(at: number, seconds?: boolean): string;
  /** All of it: "Mon, 3 Nov 2025, 14:05:09 CET". */
  exact(at: number): string;
}

export const UTC = "UTC";
const DAY_MS = 24 * 60 * 60 * 1000;

/** The calendar of a time zone; of UTC where the platform knows no such zone. */
export function createCalendar(zone: string): Calendar {
  const known = isZone(zone) ? zone : UTC;
  const format = (options: Intl.DateTimeFormatOptions) => {
    let formatter: Intl.DateTimeFormat | undefined;
    return (at: number) => {
      formatter ??= new Intl.DateTimeFormat("en-GB", { timeZone: known, hourCycle: "h23", ...options });
      return formatter.format(at);
    };
  };
  const clock = { hour: "2-digit", minute: "2-digit" } as const;
  const dayOf = format({ year: "numeric", month: "2-digit", day: "2-digit" });
  const day = (at: number) => dayOf(at).split("/").toReversed().join("-");
  const year = format({ year: "numeric" });
  const ofYear = format({ weekday: "long", day: "numeric", month: "long" });
  const whole = format({ weekday: "long", day: "numeric", month: "long", year: "numeric" });
  const time = format(clock);
  const timeWithSeconds = format({ ...clock, second: "2-digit" });
  const exact = format({
    ...clock,
    second: "2-digit",
    weekday: "short",
    day: "numeric",
    month: "short",
    year: "numeric",
    timeZoneName: "short",
  });
  return {
    zone: known,
    day,
    dayWords: (at, now) => {
      // By the days' own numbers: 24 hours before is not always the day before.
      const daysAgo = (Date.parse(day(now)) - Date.parse(day(at))) / DAY_MS;
      if (daysAgo === 0) return "Today";
      if (daysAgo === 1) return "Yesterday";
      return year(at) === year(now) ? ofYear(at) : whole(at);
    },
    time: (at, seconds = false) => (seconds ? timeWithSeconds(at) : time(at)),
    exact,
  };
}

function isZone(zone: string): boolean {
  try {
    return new Intl.DateTimeFormat("en-GB", { timeZone: zone }).format(0) !== "";
  } catch {
    // A RangeError: no such zone.
    return false;
  }
}
