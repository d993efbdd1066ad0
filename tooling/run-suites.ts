/**
 * Runs the named test suites one after the other, all of them even when one fails, and ends with one line of totals.
 * `node tooling/run-suites.ts check protocol …`; exits with 1 if anything failed.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync } from "node:fs";
import path from "node:path";
import process from "node:process";

interface Totals {
  passed: number;
  failed: number;
}

/** What each suite is: a script of the root package, or a folder with a vitest configuration. */
const suites: Record<string, { script: string } | { root: string; config?: string }> = {
  check: { script: "check" },
  build: { script: "build" },
  protocol: { root: "packages/protocol" },
  connector: { root: "packages/connector" },
  hub: { root: "packages/hub" },
  browser: { root: "e2e" },
  claudecodeui: { root: "e2e", config: "vitest.claudecodeui.config.ts" },
};

const repository = path.resolve(import.meta.dirname, "..");
const results = path.join(repository, ".cache/tests");
/** The two scripts of one CI run add to the same folder; `.ci/run` empties it and sums it up. */
const totalsFile = (name: string) => path.join(results, `${name}.json`);

process.exitCode = main(process.argv.slice(2));

function main(names: string[]): number {
  const unknown = names.filter((name) => !Object.hasOwn(suites, name));
  if (names.length === 0 || unknown.length > 0) {
    console.error(
      `Suites: ${Object.keys(suites).join(", ")}. Not known: ${unknown.join(", ") || "nothing asked for"}.`,
    );
    return 1;
  }
  mkdirSync(results, { recursive: true });
  const totals: Totals = { passed: 0, failed: 0 };
  for (const name of names) {
    const outcome = runSuite(name);
    totals.passed += outcome.passed;
    totals.failed += outcome.failed;
    if (outcome.failed > 0) console.error(`\n${name}: ${outcome.failed} failed\n`);
  }
  console.log(`${totals.passed} passed, ${totals.failed} failed`);
  return totals.failed === 0 ? 0 : 1;
}

function runSuite(name: string): Totals {
  const suite = suites[name];
  if (suite === undefined) return { passed: 0, failed: 1 };
  if ("script" in suite) {
    return { passed: 0, failed: run("npm", ["run", "--silent", suite.script]) === 0 ? 0 : 1 };
  }
  rmSync(totalsFile(name), { force: true });
  const config = suite.config === undefined ? [] : ["--config", path.join(suite.root, suite.config)];
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${totalsFile(name)}`];
  const status = run("vitest", ["run", "--root", suite.root, ...config, ...reports]);
  const totals = readTotals(totalsFile(name));
  // A suite can fail without a failed test: a file that does not load, an error after the last test.
  return status !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals;
}

function run(command: string, args: string[]): number {
  const { status, error } = spawnSync(command, args, {
    cwd: repository,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

function readTotals(file: string): Totals {
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
    };
    return { passed: report.numPassedTests, failed: report.numFailedTests };
  } catch {
    return { passed: 0, failed: 0 };
  }
}
