/** What the hub uses, what that comes to, and what it does about it. */
import type { Child } from "hono/jsx";
import { assetPath } from "../assets.ts";
import type { Estimate, UsageLine, UsageView } from "../pages/usage-view.ts";
import { PLAN_USD, PRICES_OF } from "../usage/prices.ts";
import { Since, Until } from "./time.tsx";

type Level = UsageView["level"];

/** What each level is called, and what the hub does then; the next has what those before it have. */
const LEVEL_WORDS: Record<Level, string> = {
  normal: "Nothing is slowed or left away",
  tight: "Getting tight",
  scarce: "Scarce",
  exhausted: "Used up, but for what must go on",
};

const MEASURES: Record<Exclude<Level, "normal">, string[]> = {
  tight: ["Dashboards that are opened now ask half as often whether instances are alive."],
  scarce: [
    "Pages of instances open without the hub’s mark.",
    "An instance’s log is fetched when somebody asks for it, not by itself.",
  ],
  exhausted: [
    "Nothing new is opened at instances: requests and WebSockets are refused with quota_reached.",
    "What is open there goes on. Dashboards, sign-ins and these pages work, and instances connect.",
  ],
};

/** In which time at most one report of an instance is passed on, in words. */
const REPORT_PACE = { tight: "2 s", scarce: "5 s", exhausted: "5 s" };

const LEVELS = ["tight", "scarce", "exhausted"] as const;

export function UsageReport({ view, now }: { view: UsageView; now: number }) {
  return (
    <main class="page usage">
      <link rel="stylesheet" href={assetPath("usage.css")} />
      <h1>Usage</h1>
      {view.plan.problems.map((problem) => (
        <p class="callout failed">{problem}</p>
      ))}
      <p>
        <Bill view={view} />
      </p>
      {view.plan.kind !== "local" && <Standing view={view} now={now} />}
      {view.isEmpty ? <Empty /> : <Lines view={view} />}
      <Explanation view={view} />
    </main>
  );
}

/** What this month comes to, in a sentence or two. */
function Bill({ view: { plan, usd, isEmpty } }: { view: UsageView }) {
  const [forecast, soFar] = [<b>{money(usd.forecast)} USD</b>, <>{money(usd.soFar)} USD</>];
  if (plan.kind === "local")
    return (
      <>
        This machine’s hub costs nothing.{" "}
        {!isEmpty && <>On Cloudflare’s paid plan the same would cost about {forecast} this month.</>}
      </>
    );
  if (plan.kind === "free")
    return (
      <>
        On the free plan this hub costs nothing. On the paid plan the same would cost about {forecast} this
        month.
      </>
    );
  return (
    <>
      This month comes to about {forecast}, of which {soFar} are there already and {money(PLAN_USD)} USD are
      the plan itself.{" "}
      {plan.budgetUsd === null
        ? "No budget is set, so nothing is ever slowed for it."
        : `The budget is ${money(plan.budgetUsd)} USD.`}
    </>
  );
}

function Standing({ view: { level, since, quota, plan }, now }: { view: UsageView; now: number }) {
  if (level === "normal" || quota === null)
    return plan.kind === "paid" && plan.budgetUsd === null ? null : <p class="hint">{LEVEL_WORDS.normal}.</p>;
  const measures = LEVELS.slice(0, LEVELS.indexOf(level) + 1).toReversed();
  return (
    <section class={level === "exhausted" ? "callout failed" : "callout"} data-level={level}>
      <h2>{LEVEL_WORDS[level]}</h2>
      <p>
        {quotaWords(quota)}: {percent(quota.used)} used.{" "}
        {since !== null && (
          <>
            This level came <Since at={since} now={now} ago />.{" "}
          </>
        )}
        The quota begins anew <Until at={quota.until} now={now} />, on {utc(quota.until)}.
      </p>
      <ul>
        {measures.flatMap((one) => MEASURES[one].map((words) => <li>{words}</li>))}
        <li>Of the reports of one instance at most one goes on in {REPORT_PACE[level]}.</li>
      </ul>
    </section>
  );
}

function quotaWords({ name, period }: { name: string; period: string }): string {
  const [short = name] = name.split(",");
  return name === "budget" ? "The month’s budget" : `The ${period}’s ${short}`;
}

function Empty() {
  return (
    <p class="hint" id="nothing-noted">
      Nothing has been noted yet. What happens is noted by chance and seldom, so the first numbers come after
      a few hundred requests.
    </p>
  );
}

function Lines({ view: { lines, usd } }: { view: UsageView }) {
  return (
    <div class="table-scroll" tabindex={0} role="region" aria-label="What is billed">
      <table>
        <thead>
          <tr>
            <Head>What</Head>
            <Head>Today</Head>
            <Head>This month</Head>
            <Head>Month’s forecast</Head>
            <Head>Of the free plan</Head>
            <Head>Paid plan, USD</Head>
          </tr>
        </thead>
        <tbody>
          {lines.map((line) => (
            <Line line={line} />
          ))}
        </tbody>
        <tfoot>
          <tr>
            <th scope="row" colspan={5}>
              With the {money(PLAN_USD)} USD of the plan itself
            </th>
            <td>
              <b>{money(usd.forecast)}</b>
            </td>
          </tr>
        </tfoot>
      </table>
    </div>
  );
}

function Head({ children }: { children: Child }) {
  return <th scope="col">{children}</th>;
}

function Line({ line: { name, today, month, forecast, free, included, usd } }: { line: UsageLine }) {
  return (
    <tr>
      <th scope="row">
        {name.split(", ").map((words, index) => (index === 0 ? words : <small class="hint">{words}</small>))}
      </th>
      <Counted label="today" estimate={today} />
      <Counted label="this month" estimate={month} />
      <td data-label="forecast">{number(forecast)}</td>
      <td data-label="of the free plan">
        <meter
          value={Math.min(1, free.used)}
          high={0.7}
          aria-label={`${percent(free.used)} of ${number(free.amount)}`}
        ></meter>
        <small class={free.forecast >= 1 ? "over" : "hint"}>
          {percent(free.used)} of {number(free.amount)} a {free.period}
          {free.used < 1 && free.forecast >= 1 && `, all of it before the ${free.period} ends`}
        </small>
      </td>
      <td data-label="paid plan, USD">
        {money(usd)} <small class="hint">{percent(forecast / included)} of included</small>
      </td>
    </tr>
  );
}

function Counted({ label, estimate: { quantity, error } }: { label: string; estimate: Estimate }) {
  return (
    <td data-label={label}>
      {number(quantity)}{" "}
      {quantity > 0 && (
        <small class="hint">{error < quantity ? `± ${percent(error / quantity)}` : "a guess"}</small>
      )}
    </td>
  );
}

function Explanation({ view: { daysKnown } }: { view: UsageView }) {
  return (
    <section class="hint usage-notes">
      <p>
        These are estimates. To count each request would cost more than the hub does, so about one in 300 is
        noted, as 300: right on average, and 19 times of 20 no farther off than stands beside it. What happens
        seldom is a guess or shows as 0. GB-seconds take 20 ms for each request, 10 ms for each message, and
        answers of instances as long as they last. The Worker’s CPU, log lines and stored data are not
        counted.
      </p>
      <p>
        {daysKnown === 0
          ? "The forecast takes the rest of the month as today, because no whole day is known yet. "
          : `The forecast takes the days to come as the last ${daysKnown === 1 ? "whole day" : `${daysKnown} whole days`}. `}
        Days and months are those of UTC, a month is one of the calendar. Limits and prices are Cloudflare’s
        of {PRICES_OF}.
      </p>
    </section>
  );
}

const significant = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const inWords = new Intl.NumberFormat("en", {
  maximumSignificantDigits: 3,
  notation: "compact",
  compactDisplay: "long",
});

function number(quantity: number): string {
  return (quantity < 1e9 ? significant : inWords).format(quantity);
}

function percent(share: number): string {
  return share > 0 && share < 0.005 ? "< 1 %" : `${significant.format(Math.round(share * 100))} %`;
}

function money(usd: number): string {
  return usd.toLocaleString("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
}

/** "22 November, 00:00 UTC". */
function utc(at: number): string {
  const day = new Date(at).toLocaleDateString("en-GB", { day: "numeric", month: "long", timeZone: "UTC" });
  return `${day}, 00:00 UTC`;
}
