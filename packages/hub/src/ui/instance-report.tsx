import type { Inspection } from "../contracts.ts";
import type { Instance } from "../instance.ts";
import { routes } from "../routes.ts";
import type { Calendar } from "./calendar.ts";
import { ExactTime } from "./exact-time.tsx";

/** An error is told by the page and put nowhere. */
const KEEP_ON_ERROR = { "hx-status:4xx": "swap:none", "hx-status:5xx": "swap:none" };

/**
 * Where the report comes: asked for as soon as it is seen, or, where it `isAsked` for by nobody, when somebody clicks; on a page of
 * its own where there are no scripts.
 */
export function ReportPlace({ label, isAsked }: { label: string; isAsked: boolean }) {
  return (
    <div
      class="report"
      hx-get={routes.clientReport(label)}
      hx-trigger={isAsked ? "load" : "click"}
      hx-swap="innerHTML"
      {...KEEP_ON_ERROR}
    >
      <p class="hint">
        <a href={routes.clientReport(label)}>Ask its connector</a> for its log and how long the way there is.
      </p>
    </div>
  );
}

/** What became of asking. */
export type Report = Inspection | "away" | "silent" | "version_1";

/** Why there is nothing to show. */
const WHY: Record<Exclude<Report, Inspection>, string> = {
  away: "It is not connected, so there is no connector to ask for its log.",
  silent: "Its connector did not answer within 3 s, or is of a version that does not tell.",
  version_1: "Its client speaks version 1 of the protocol, which cannot be asked for a log.",
};

interface ReportProps {
  instance: Pick<Instance, "label">;
  report: Report;
  calendar: Calendar;
}

/** The way to the connector in milliseconds, and its recent log, newest first. */
export function ConnectorReport({ instance: { label }, report, calendar }: ReportProps) {
  return (
    <>
      <p class="page-lead">
        {typeof report === "string" ? <span>{WHY[report]}</span> : <Latency ms={report.latencyMs} />}
        {report !== "version_1" && (
          <a
            href={routes.clientReport(label)}
            hx-get={routes.clientReport(label)}
            hx-target="closest .report"
            hx-swap="innerHTML"
            {...KEEP_ON_ERROR}
          >
            {typeof report === "string" ? "Ask again" : "Measure again"}
          </a>
        )}
      </p>
      {typeof report !== "string" && <Log lines={report.log} calendar={calendar} />}
    </>
  );
}

/** From the hub to the connector and back. */
function Latency({ ms }: { ms: number }) {
  return (
    <span>
      Latency <b>{Math.max(1, Math.round(ms))} ms</b>
    </span>
  );
}

function Log({ lines, calendar }: { lines: Inspection["log"]; calendar: Calendar }) {
  if (lines.length === 0) return <p class="hint">Its log is empty.</p>;
  return (
    <ol class="log" tabindex={0} aria-label="Recent log of the connector, newest first">
      {lines.toReversed().map(({ at, level, text }) => (
        <li data-level={level}>
          <ExactTime at={at} calendar={calendar} seconds /> {level !== "info" && <b>{level}</b>}{" "}
          <bdi>{text}</bdi>
        </li>
      ))}
    </ol>
  );
}
