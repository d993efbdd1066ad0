/**
 * Lighthouse on a signed-in dashboard with five instances, as a phone with its usual throttling and as a desktop. It is large,
 * so it is installed when it is first asked for, into a folder of its own.
 */
import { execFile } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";
import { setTimeout as pause } from "node:timers/promises";
import { promisify } from "node:util";
import type { Browser } from "playwright-core";
import { launchBrowser } from "../../e2e/browser.ts";
import { freePort } from "../../e2e/port.ts";
import { session, startStage, type Stage } from "../../e2e/pages/stage.ts";
import { routes } from "../../packages/hub/src/routes.ts";
import { printTable, type Row } from "../report.ts";

const LIGHTHOUSE = "lighthouse@13.5.0";
const FOLDER = path.resolve(import.meta.dirname, "../../.cache/lighthouse");
const CLI = path.join(FOLDER, "node_modules/lighthouse/cli/index.js");
const CATEGORIES = ["performance", "accessibility", "best-practices"];
const PRESETS: Record<string, string[]> = { mobile: [], desktop: ["--preset=desktop"] };
const run = promisify(execFile);

/** The parts of Lighthouse's report that are read here. */
interface Report {
  categories: Record<string, { score: number | null; auditRefs: { id: string; weight: number }[] }>;
  audits: Record<
    string,
    { title: string; score: number | null; displayValue?: string; numericValue?: number }
  >;
}

export async function benchLighthouse(): Promise<void> {
  await install();
  const stage = await startStage();
  try {
    await connectFive(stage);
    const rows: Row[] = [["", ...CATEGORIES, "first paint", "largest", "blocked", "shift", "bytes"]];
    const complaints: string[] = [];
    for (const [name, flags] of Object.entries(PRESETS)) {
      const report = await measure(stage, flags);
      rows.push([name, ...CATEGORIES.map((category) => score(report, category)), ...metrics(report)]);
      complaints.push(...failed(report).map((complaint) => `${name}: ${complaint}`));
    }
    printTable(
      `Lighthouse on a dashboard of five (${LIGHTHOUSE})`,
      rows,
      "Target: 100 in each.",
      ...complaints,
    );
  } finally {
    await stage.stop();
  }
}

/** In a browser of its own. Lighthouse empties its caches first, and leaves it signed in. */
async function measure(stage: Stage, flags: string[]): Promise<Report> {
  const port = await freePort();
  const browser = await launchBrowser([`--remote-debugging-port=${port}`]);
  try {
    await signIn(browser, stage);
    return await lighthouse(stage.hub.origin + routes.dashboard, port, flags);
  } finally {
    await browser.close();
  }
}

async function install(): Promise<void> {
  const manifest = path.join(FOLDER, "package.json");
  const wanted = `${JSON.stringify({ private: true, description: LIGHTHOUSE })}\n`;
  if (existsSync(CLI) && existsSync(manifest) && readFileSync(manifest, "utf8").includes(LIGHTHOUSE)) return;
  console.log(`Installing ${LIGHTHOUSE} into ${FOLDER}.`);
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(manifest, wanted);
  await run("npm", ["install", "--no-audit", "--no-fund", "--no-save", LIGHTHOUSE], { cwd: FOLDER });
}

async function connectFive(stage: Stage): Promise<void> {
  const token = await stage.hub.createToken("bench");
  for (const state of ["working", "needs_permission", "done", "idle", "failed"] as const)
    await stage.instance({ token, sessions: [session(state, "Fix the flaky test", 60_000)] });
}

/** Lighthouse opens tabs in the browser's own profile, so that one is signed in. */
async function signIn(browser: Browser, stage: Stage): Promise<void> {
  const devtools = await browser.newBrowserCDPSession();
  const { targetId } = await devtools.send("Target.createTarget", { url: await stage.hub.signInLink() });
  const isThere = async () => {
    const { targetInfos } = await devtools.send("Target.getTargets");
    return targetInfos.some(
      (target) => target.targetId === targetId && target.url.endsWith(routes.dashboard),
    );
  };
  while (!(await isThere())) await pause(50);
  await devtools.send("Target.closeTarget", { targetId });
}

async function lighthouse(url: string, port: number, flags: string[]): Promise<Report> {
  const output = path.join(FOLDER, "report.json");
  const args = [
    url,
    `--port=${port}`,
    `--only-categories=${CATEGORIES.join(",")}`,
    "--output=json",
    `--output-path=${output}`,
    "--no-enable-error-reporting",
    "--quiet",
  ];
  await run(process.execPath, [CLI, ...args, ...flags], { maxBuffer: 64 * 1024 * 1024 });
  return JSON.parse(readFileSync(output, "utf8")) as Report;
}

function score(report: Report, category: string): string {
  const value = report.categories[category]?.score;
  return typeof value === "number" ? String(Math.round(value * 100)) : "–";
}

function metrics({ audits }: Report): Row {
  const ids = [
    "first-contentful-paint",
    "largest-contentful-paint",
    "total-blocking-time",
    "cumulative-layout-shift",
    "total-byte-weight",
  ];
  return ids.map((id) => (audits[id]?.displayValue ?? "–").replace(/^Total size was /, ""));
}

/** What costs points, and what Lighthouse would have better though it does not. */
function failed({ categories, audits }: Report): string[] {
  return Object.values(categories).flatMap(({ auditRefs }) =>
    auditRefs.flatMap(({ id, weight }) => {
      const audit = audits[id];
      if (audit === undefined || audit.score === null || audit.score >= 0.9) return [];
      const cost = weight === 0 ? "costs nothing" : `${Math.round(audit.score * 100)} of 100`;
      return [`${audit.title} (${id}${audit.displayValue ? `, ${audit.displayValue}` : ""}; ${cost})`];
    }),
  );
}
