/** Whether what the hub rests on answers, and in what time. */
import { askGitHub } from "../auth/github-http.ts";
import { loadGitHub } from "../auth/github-app.ts";
import { countCensus, type CensusRow } from "../db/census.ts";
import type { Env } from "../env.ts";
import { errorName, log } from "../log.ts";
import { askMeter } from "../usage/ask-meter.ts";
import type { Level } from "../usage/levels.ts";
import { hasQuota, readPlan } from "../usage/plan.ts";
import { usage } from "../usage/usage.ts";
import { HUB_SOFTWARE } from "../version.ts";

export const DEPENDENCIES = ["database", "objects", "archive", "github"] as const;
export type Dependency = (typeof DEPENDENCIES)[number];

export interface DependencyHealth {
  status: "ok" | "failing" | "not_configured";
  /** How long the answer took, in milliseconds; null where nobody was asked. */
  ms: number | null;
}

/** The answer of /health. It is for everybody: it names nobody, and no error says more than that something fails. */
export interface Health {
  /** `failing` where the hub cannot do its main job: without its database or its objects. */
  status: "ok" | "failing";
  version: string;
  /** ISO 8601. */
  checked_at: string;
  /** Of all people together; null where the database cannot be asked. */
  counts: CensusRow | null;
  /** How near the hub is to the end of a quota of its plan, as far as is known here. */
  usage: Level;
  /** `github` only on a hub that signs in with it. */
  dependencies: Partial<Record<Dependency, DependencyHealth>> &
    Record<"database" | "objects" | "archive", DependencyHealth>;
}

/** What takes longer fails. */
const DEADLINE_MS = 2000;

class TookTooLong extends Error {
  override readonly name = "TookTooLong";
}

/** Asks everything at once. Never rejects. */
export async function checkHealth(env: Env): Promise<Health> {
  const checkedAt = new Date().toISOString();
  let counts: CensusRow | null = null;
  const [database, objects, archive, github, level] = await Promise.all([
    check("database", async () => {
      counts = await countCensus(env.DB);
    }),
    check("objects", async () => {
      await env.RATE_LIMITER.getByName("health").isUp();
    }),
    check("archive", () => askArchive(env)),
    env.GITHUB_SIGN_IN === "enabled" ? check("github", () => askForGitHub(env)) : undefined,
    usageLevel(env),
  ]);
  const isUp = database.status === "ok" && objects.status === "ok";
  return {
    status: isUp ? "ok" : "failing",
    version: HUB_SOFTWARE.version,
    checked_at: checkedAt,
    counts,
    usage: level,
    dependencies: { database, objects, archive, ...(github === undefined ? {} : { github }) },
  };
}

/** A hub that was deployed without a bucket has no binding of it. */
async function askArchive(env: Partial<Pick<Env, "ARCHIVE">>): Promise<"not_configured" | undefined> {
  if (env.ARCHIVE === undefined) return "not_configured";
  await env.ARCHIVE.head("health");
  return undefined;
}

/** Asks GitHub for what costs nothing of what it allows; that it answers is what counts, whatever it says. */
async function askForGitHub(env: Env): Promise<"not_configured" | undefined> {
  const github = await loadGitHub(env);
  if (github.state === "misconfigured") throw new TypeError("misconfigured");
  if (github.state !== "ready") return "not_configured";
  const answer = await askGitHub(`${github.app.apiUrl}/rate_limit`, { timeoutMs: DEADLINE_MS });
  if ("away" in answer) throw new Error(answer.away);
  return undefined;
}

/** The Meter is asked only where something can be used up and what is known is old: monitors come every minute. */
async function usageLevel(env: Env): Promise<Level> {
  if (hasQuota(readPlan(env)) && usage.isStale(Date.now()))
    await Promise.allSettled([beforeDeadline(askMeter(env))]);
  return usage.level(Date.now());
}

/** `ask` says whether there is nothing to ask. */
async function check(
  kind: Dependency,
  ask: () => Promise<"not_configured" | undefined | void>,
): Promise<DependencyHealth> {
  const begun = Date.now();
  try {
    const answer = await beforeDeadline(ask());
    if (answer === "not_configured") return { status: answer, ms: null };
    return { status: "ok", ms: Date.now() - begun };
  } catch (error) {
    log("dependency_failing", { kind, error: errorName(error) });
    return { status: "failing", ms: Date.now() - begun };
  }
}

async function beforeDeadline<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const deadline = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new TookTooLong()), DEADLINE_MS);
  });
  try {
    return await Promise.race([work, deadline]);
  } finally {
    if (timer !== null) clearTimeout(timer);
  }
}
