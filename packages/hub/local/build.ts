/**
 * Builds what runs and what is published: the two packages with tsc, the Worker with wrangler (so that the local hub runs
 * the very bundle that would be deployed), the static files under a folder named after their content.
 * A part whose sources have not changed since is left alone.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { contentHash } from "./content-hash.ts";
import { built, hubPackage, offline, repository } from "./paths.ts";
import { bundleShim, shimFolder } from "./shim.ts";

const require = createRequire(import.meta.url);

interface Part {
  name: string;
  /** Files and folders, from the repository's root, that decide whether it must be built again. */
  sources: string[];
  /** A file that is there once it is built. */
  result: string;
  build(): void;
}

const DAY_MS = 24 * 60 * 60_000;
const common = ["package-lock.json", "tsconfig.base.json"];

const parts: Part[] = [
  packagePart("protocol", []),
  packagePart("connector", ["packages/protocol/src"]),
  {
    name: "hub",
    sources: [
      ...common,
      "packages/protocol/src",
      "packages/hub/src",
      "packages/hub/public",
      "packages/hub/shim",
      "packages/hub/wrangler.jsonc",
      "packages/hub/local/build.ts",
      "packages/hub/local/shim.ts",
    ],
    result: built.worker,
    build: buildHub,
  },
];

/** Builds every part that needs it; throws with the tool's own words when one fails. Tells `report` what it is at. */
export function build(report: (line: string) => void = () => undefined): void {
  for (const part of parts) {
    const stamp = path.join(repository, "packages", part.name, "dist/.built-from");
    const hash = contentHash(part.sources.map((source) => path.join(repository, source)));
    if (existsSync(part.result) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) continue;
    report(`Building ${part.name}`);
    part.build();
    writeFileSync(stamp, hash);
  }
}

function packagePart(name: string, uses: string[]): Part {
  const folder = `packages/${name}`;
  return {
    name,
    sources: [...common, ...uses, `${folder}/src`, `${folder}/package.json`, `${folder}/tsconfig.build.json`],
    result: path.join(repository, folder, "dist/index.js"),
    build: () => {
      // What is published must not hold modules that are gone from the sources.
      rmSync(path.join(repository, folder, "dist"), { recursive: true, force: true });
      run("tsc", ["-p", path.join(folder, "tsconfig.build.json")]);
    },
  };
}

function buildHub(): void {
  const assetsVersion = copyAssets();
  const config = path.join(hubPackage, "wrangler.jsonc");
  const define = `ASSETS_VERSION:${JSON.stringify(assetsVersion)}`;
  const outdir = path.dirname(built.worker);
  run("wrangler", ["deploy", "--dry-run", "--config", config, "--outdir", outdir, "--define", define], {
    ...offline,
    WRANGLER_BUILD_CONDITIONS: "source,workerd,worker,browser",
  });
  const { unstable_getMiniflareWorkerOptions: readOptions } =
    require("wrangler") as typeof import("wrangler");
  const { workerOptions } = readOptions(config);
  // The bundle is one file already: nothing is left for rules about modules to decide.
  const { modulesRules: _, ...options } = workerOptions;
  writeFileSync(built.options, JSON.stringify(options, null, 2));
}

/** Copies the static files to `/.orchestrator/assets/<version>/` and returns the version, a hash of all of them. */
function copyAssets(): string {
  const htmx = path.dirname(require.resolve("htmx.org/package.json"));
  const files = [path.join(htmx, "dist/htmx.min.js"), path.join(htmx, "dist/ext/hx-ws.min.js")];
  const own = path.join(hubPackage, "public");
  const version = contentHash([own, shimFolder, ...files]).slice(0, 12);
  const versions = path.join(built.public, ".orchestrator/assets");
  const target = path.join(versions, version);
  removeOldVersions(versions);
  mkdirSync(target, { recursive: true });
  cpSync(own, target, { recursive: true });
  for (const file of files) cpSync(file, path.join(target, path.basename(file)));
  writeFileSync(path.join(target, "shim.js"), bundleShim());
  writeFileSync(
    path.join(built.public, "_headers"),
    "/.orchestrator/assets/*\n  Cache-Control: public, max-age=31536000, immutable\n  X-Content-Type-Options: nosniff\n",
  );
  return version;
}

/** A hub that runs now may serve an earlier version: only those of another day go. */
function removeOldVersions(folder: string): void {
  for (const name of existsSync(folder) ? readdirSync(folder) : []) {
    const version = path.join(folder, name);
    if (Date.now() - statSync(version).mtimeMs > DAY_MS) rmSync(version, { recursive: true });
  }
}

/** Where each command's script is, in its package. */
const commands = { tsc: "typescript/bin/tsc", wrangler: "wrangler/bin/wrangler.js" };

/** Runs a command with this Node, from the repository's root. */
function run(command: keyof typeof commands, args: string[], env: Record<string, string> = {}): void {
  const [packageName = "", ...rest] = commands[command].split("/");
  const script = path.join(path.dirname(require.resolve(`${packageName}/package.json`)), ...rest);
  const { status, stdout, stderr, error } = spawnSync(process.execPath, [script, ...args], {
    cwd: repository,
    env: { ...process.env, ...env },
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`${command} ${args.join(" ")}\n${stdout}${stderr}`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    build(console.log);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
