/**
 * Builds what runs and what is published: the connector with rolldown, declarations with tsc, the Worker with wrangler (so that the local
 * hub runs the very bundle that would be deployed), the static files under a folder named after their content.
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
import { publishTypes } from "./published-types.ts";
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

/** What the hub and its runner are made of. */
const parts: Part[] = [
  {
    name: "connector",
    sources: [
      ...common,
      "packages/protocol/src",
      "packages/connector/src",
      "packages/connector/package.json",
      "packages/connector/rolldown.config.js",
      "packages/hub/local/build.ts",
    ],
    result: built.connectorCli,
    build: bundleConnector,
  },
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

/** What only those need who install the packages. */
const publishedParts: Part[] = [
  {
    name: "protocol",
    sources: [
      ...common,
      "packages/protocol/src",
      "packages/protocol/package.json",
      "packages/protocol/tsconfig.build.json",
    ],
    result: path.join(repository, "packages/protocol/dist/index.js"),
    build: buildProtocol,
  },
  {
    name: "connector/types",
    sources: [
      ...common,
      "packages/protocol/src",
      "packages/connector/src",
      "packages/connector/package.json",
      "packages/connector/tsconfig.build.json",
      "packages/hub/local/published-types.ts",
      "packages/hub/local/build.ts",
    ],
    result: path.join(repository, "packages/connector/dist/index.d.ts"),
    build: declareConnector,
  },
];

/** Builds every part that needs it; throws with the tool's own words when one fails. Tells `report` what it is at. */
export function build(report: (line: string) => void = () => undefined): void {
  for (const part of parts) buildPart(part, report);
}

/** Builds what people install, too. */
export function buildAll(report: (line: string) => void = () => undefined): void {
  for (const part of [...parts, ...publishedParts]) buildPart(part, report);
}

function buildPart(part: Part, report: (line: string) => void): void {
  const { name, sources, result } = part;
  const stamp = path.join(repository, ".cache/built", `${name.replace("/", "-")}.built-from`);
  const hash = contentHash(sources.map((source) => path.join(repository, source)));
  if (existsSync(result) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return;
  report(`Building ${name}`);
  part.build();
  mkdirSync(path.dirname(stamp), { recursive: true });
  writeFileSync(stamp, hash);
}

const connectorDist = path.join(repository, "packages/connector/dist");
const protocolDist = path.join(repository, "packages/protocol/dist");
/** Bundled with the connector, and under licenses that want to be told along. */
const BUNDLED = ["uqr/LICENSE", "valibot/LICENSE.md"];

/** The stamps are elsewhere: what stands in `dist` is published. */
function bundleConnector(): void {
  removeFiles(connectorDist, (name) => !name.endsWith(".d.ts"));
  run("rolldown", ["-c", "packages/connector/rolldown.config.js", "--logLevel", "warn"]);
  const licenses = BUNDLED.map(
    (file) => `${path.dirname(file)}\n\n${readFileSync(license(file), "utf8").trim()}\n`,
  );
  writeFileSync(path.join(connectorDist, "licenses.txt"), licenses.join("\n\n"));
}

function license(file: string): string {
  return path.join(repository, "node_modules", file);
}

function declareConnector(): void {
  removeFiles(connectorDist, (name) => name.endsWith(".d.ts"));
  run("tsc", ["-p", "packages/connector/tsconfig.build.json"]);
  publishTypes(connectorDist, protocolDist, ["index", "preload"]);
}

function buildProtocol(): void {
  // What is published must not hold modules that are gone from the sources.
  rmSync(protocolDist, { recursive: true, force: true });
  run("tsc", ["-p", "packages/protocol/tsconfig.build.json"]);
}

function removeFiles(folder: string, isOld: (name: string) => boolean): void {
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: "utf8" }) : [];
  for (const name of names.filter(isOld)) {
    const file = path.join(folder, name);
    if (statSync(file).isFile()) rmSync(file);
  }
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
const commands = {
  rolldown: "rolldown/bin/cli.mjs",
  tsc: "typescript/bin/tsc",
  wrangler: "wrangler/bin/wrangler.js",
};

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
    buildAll(console.log);
  } catch (error) {
    console.error(error instanceof Error ? error.message : error);
    process.exitCode = 1;
  }
}
