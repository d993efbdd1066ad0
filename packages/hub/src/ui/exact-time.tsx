import type { Calendar } from "./calendar.ts";

/** A time of day, whole on hover. */
export function ExactTime({
  at,
  calendar,
  seconds = false,
}: {
  at: number;
  calendar: Calendar;
  seconds?: boolean;
}) {
  return (
    <time class="since" datetime={new Date(at).toISOString()} title={calendar.exact(at)}>
      {calendar.time(at, seconds)}
    </time>
  );
}
