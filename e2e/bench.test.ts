/** What `npm run bench` says before it builds or measures anything. */
import { spawnSync } from "node:child_process";
import path from "node:path";
import { expect, it } from "vitest";

const MAIN = path.resolve(import.meta.dirname, "../bench/main.ts");

it.each([
  [["--help"], 0, /^npm run bench .*Names: dashboard, tunnel, .*docs\/performance\.md lists them\.$/s],
  [["scale", "-h"], 0, /^npm run bench/],
  [["constructor"], 1, /^Not a benchmark: constructor\. There are dashboard, tunnel, /],
  [["scale", "--rounds", "1"], 1, /^scale takes no flags; tunnel does\.$/],
  [["tunnel", "--rounds", "0"], 1, /^--rounds takes a whole number from 1\.$/],
])("%s", { timeout: 30_000 }, (args, status, words) => {
  const ended = spawnSync(process.execPath, ["--conditions=source", MAIN, ...args], {
    encoding: "utf8",
    timeout: 20_000,
  });
  expect(ended.status).toBe(status);
  expect((ended.stdout + ended.stderr).trim()).toMatch(words);
});
