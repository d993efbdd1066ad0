import type { Dependency, DependencyHealth, Health } from "../pages/health-checks.ts";
import { Since } from "./time.tsx";

/** What each is for. */
const PURPOSES: Record<Dependency, [name: string, purpose: string]> = {
  database: ["Database", "people, sign-ins and tokens"],
  objects: ["Objects", "instances and open dashboards"],
  archive: ["Archive", "activity of past days"],
  github: ["GitHub", "signing in"],
};

const STATUS_WORDS: Record<DependencyHealth["status"], string> = {
  ok: "answers",
  failing: "does not answer",
  not_configured: "not set up",
};

/** How near the end of what the plan gives. */
const USAGE_WORDS: Record<Health["usage"], string> = {
  normal: "normal",
  tight: "getting tight",
  scarce: "scarce",
  exhausted: "used up: nothing new is opened at instances",
};

/** The facts of /health, for people. */
export function HealthReport({ health, now }: { health: Health; now: number }) {
  const { counts, dependencies, version } = health;
  return (
    <>
      <h1>{summary(health)}</h1>
      <table class="table">
        <caption class="visually-hidden">What the hub rests on</caption>
        <thead>
          <tr>
            <th scope="col">What</th>
            <th scope="col">State</th>
            <th scope="col">Took</th>
          </tr>
        </thead>
        <tbody>
          {Object.entries(dependencies).map(([name, { status, ms }]) => (
            <tr>
              <th scope="row">
                {PURPOSES[name as Dependency][0]}{" "}
                <small class="hint">{PURPOSES[name as Dependency][1]}</small>
              </th>
              <td class={status === "failing" ? "table-state danger" : "table-state"}>
                {STATUS_WORDS[status]}
              </td>
              <td class="table-state">{ms === null ? "" : `${ms} ms`}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <dl class="facts">
        <dt>Connected instances</dt>
        <dd>{counts?.instances ?? "unknown"}</dd>
        <dt>Open dashboards</dt>
        <dd>{counts?.browsers ?? "unknown"}</dd>
        <dt>Usage</dt>
        <dd>{USAGE_WORDS[health.usage]}</dd>
        <dt>Version</dt>
        <dd>{version}</dd>
        <dt>Checked</dt>
        <dd>
          <Since at={Date.parse(health.checked_at)} now={now} ago />
        </dd>
      </dl>
    </>
  );
}

function summary({ status, dependencies }: Health): string {
  if (status === "failing") return "The hub cannot work now";
  return Object.values(dependencies).some((one) => one.status === "failing")
    ? "The hub works, but not all of it"
    : "The hub works";
}
