/**
 * Runs the named test suites one after the other, all of them even when one fails, and ends with one line of totals.
 * `node tooling/run-suites.ts check protocol …`; exits with 1 if anything failed. With `totals` alone it runs nothing and
 * sums up what is noted since the notes were last removed: that is how `.ci/run` ends.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import process from "node:process";

interface Totals {
  passed: number;
  failed: number;
}

/** What each suite is: a script of the root package, or a folder with a vitest configuration, named where it is not the usual one. */
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
/** Each suite's totals, and what vitest reports to make them from. */
const notes = path.join(repository, ".cache/tests");

process.exitCode = main(process.argv.slice(2));

function main(names: string[]): number {
  const unknown = names.filter((name) => name !== "totals" && !Object.hasOwn(suites, name));
  if (names.length === 0 || unknown.length > 0) {
    console.error(
      `Suites: ${Object.keys(suites).join(", ")}. Not known: ${unknown.join(", ") || "nothing"}.`,
    );
    return 1;
  }
  mkdirSync(notes, { recursive: true });
  const all = names[0] === "totals" ? readdirSync(notes).filter(isNote).map(readNote) : names.map(runSuite);
  const sum = (what: keyof Totals) => all.reduce((total, one) => total + one[what], 0);
  console.log(`${sum("passed")} passed, ${sum("failed")} failed`);
  return sum("failed") === 0 && all.length > 0 ? 0 : 1;
}

/** Runs one suite and notes what came of it. A script that fails counts as one failure. */
function runSuite(name: string): Totals {
  const suite = suites[name];
  if (suite === undefined) return { passed: 0, failed: 1 };
  const totals = "script" in suite ? runScript(suite.script) : runVitest(name, suite);
  if (totals.failed > 0) console.error(`\n${name}: ${totals.failed} failed\n`);
  writeFileSync(path.join(notes, `${name}.totals.json`), JSON.stringify(totals));
  return totals;
}

function runScript(script: string): Totals {
  return { passed: 0, failed: run("npm", ["run", "--silent", script]) === 0 ? 0 : 1 };
}

function runVitest(name: string, suite: { root: string; config?: string }): Totals {
  const file = path.join(notes, `${name}.vitest.json`);
  rmSync(file, { force: true });
  const config = suite.config === undefined ? [] : ["--config", suite.config];
  const reports = ["--reporter=default", "--reporter=json", `--outputFile.json=${file}`];
  const status = run("vitest", ["run", "--root", suite.root, ...config, ...reports]);
  const totals = readReport(file);
  // A suite can fail without a failed test: a file that does not load, an error after the last test.
  return status !== 0 && totals.failed === 0 ? { ...totals, failed: 1 } : totals;
}

function isNote(file: string): boolean {
  return file.endsWith(".totals.json");
}

function readNote(file: string): Totals {
  return JSON.parse(readFileSync(path.join(notes, file), "utf8")) as Totals;
}

function run(command: string, args: string[]): number {
  const { status, error } = spawnSync(command, args, {
    cwd: repository,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (error !== undefined) console.error(`${command}: ${error.message}`);
  return status ?? 1;
}

function readReport(file: string): Totals {
  try {
    const report = JSON.parse(readFileSync(file, "utf8")) as {
      numPassedTests: number;
      numFailedTests: number;
    };
    return { passed: report.numPassedTests, failed: report.numFailedTests };
  } catch {
    // vitest did not come as far as writing it; its exit code tells.
    return { passed: 0, failed: 0 };
  }
}
