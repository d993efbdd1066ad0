/**
 * A real claudecodeui, for the demo and for tests: installed into a folder of its own, never a dependency. It is compiled
 * and run with the Node that runs npm, because a native module only loads in the Node it was compiled for.
 */
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { existsSync, mkdirSync, statfsSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { repository } from "./paths.ts";
import { userEnvironment, userNode } from "./user-environment.ts";

const PACKAGE = "@cloudcli-ai/cloudcli";
const VERSION = "1.37.3";
/** Starts one without installing it for good; on loopback, which is not its default. */
export const claudecodeuiCommand = `HOST=127.0.0.1 npx --yes ${PACKAGE}@${VERSION}`;
/** Those of its packages that have install scripts, which npm runs only where they are allowed. */
const NATIVE = ["better-sqlite3", "bcrypt", "node-pty"];
const START_TIMEOUT_MS = 30_000;
const STOP_TIMEOUT_MS = 2_000;

/** An installed claudecodeui; all are paths. */
export interface Claudecodeui {
  folder: string;
  /** The Node it must run with. */
  node: string;
  server: string;
  /** The Claude Code it brings along, where there is one for this platform. */
  claude: string | undefined;
}

export interface RunningClaudecodeui {
  /** `http://127.0.0.1:<port>` */
  origin: string;
  pid: number;
  stop(): Promise<void>;
}

/** Where it is installed: `$CLAUDECODEUI_DIR`, or a cache folder in the repository. */
export function claudecodeuiFolder(environment: NodeJS.ProcessEnv = process.env): string {
  return path.resolve(environment["CLAUDECODEUI_DIR"] || path.join(repository, ".cache/claudecodeui"));
}

/**
 * Installs it unless what is in `folder` works already: about two minutes and 1.4 GB. Throws, with the end of npm's own
 * words, when it does not work afterwards.
 */
export async function installClaudecodeui(
  options: { folder?: string; report?: (line: string) => void; signal?: AbortSignal } = {},
): Promise<Claudecodeui> {
  const { report = () => undefined, signal } = options;
  const installed = describe(options.folder ?? claudecodeuiFolder());
  if (problem(installed) === undefined) return installed;
  report(`Installing claudecodeui ${VERSION} into ${installed.folder}: about two minutes and 1.4 GB.`);
  mkdirSync(installed.folder, { recursive: true });
  const allowed = Object.fromEntries([PACKAGE, ...NATIVE].map((name) => [name, true]));
  const manifest = { private: true, dependencies: { [PACKAGE]: VERSION }, allowScripts: allowed };
  writeFileSync(path.join(installed.folder, "package.json"), `${JSON.stringify(manifest, null, 2)}\n`);
  await npm(["install", "--no-audit", "--no-fund"], installed, { report, signal });
  // What another Node has compiled is complete in npm's eyes.
  if (problem(installed) !== undefined) await npm(["rebuild", ...NATIVE], installed, { report, signal });
  const wrong = problem(installed);
  if (wrong !== undefined) throw new Error(`claudecodeui was installed but does not work: ${wrong}`);
  return describe(installed.folder);
}

/** Starts an installed one on loopback and waits until it answers. `environment` is added to the person's own. */
export async function startClaudecodeui(
  installed: Claudecodeui,
  options: {
    port: number;
    environment?: Record<string, string>;
    /** Modules to load into its process first. */
    preload?: readonly string[];
    /** Called with what it prints. */
    onOutput?: (text: string) => void;
  },
): Promise<RunningClaudecodeui> {
  const own = userEnvironment(process.env);
  const imports = (options.preload ?? []).flatMap((module) => ["--import", module]);
  const child = spawn(installed.node, [...imports, installed.server], {
    cwd: installed.folder,
    env: {
      ...own,
      ...options.environment,
      HOST: "127.0.0.1",
      SERVER_PORT: String(options.port),
      NODE_ENV: "production",
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: Ctrl-C in the terminal reaches the runner only, which then ends this in its turn.
    detached: true,
  });
  let printed = "";
  const collect = (chunk: Buffer) => {
    printed = (printed + chunk.toString()).slice(-2_000);
    options.onOutput?.(chunk.toString());
  };
  child.stdout.on("data", collect);
  child.stderr.on("data", collect);
  const origin = `http://127.0.0.1:${options.port}`;
  if (!(await answers(`${origin}/health`, child))) {
    await stop(child);
    throw new Error(`claudecodeui did not start:\n${printed.trim()}`);
  }
  return { origin, pid: child.pid ?? 0, stop: () => stop(child) };
}

function describe(folder: string): Claudecodeui {
  const modules = path.join(folder, "node_modules");
  const claude = path.join(
    modules,
    `@anthropic-ai/claude-agent-sdk-${process.platform}-${process.arch}`,
    process.platform === "win32" ? "claude.exe" : "claude",
  );
  return {
    folder,
    node: userNode(process.env),
    server: path.join(modules, PACKAGE, "dist-server/server/index.js"),
    claude: existsSync(claude) ? claude : undefined,
  };
}

/** Why what is installed does not work with its Node, or undefined when it does. */
function problem(installed: Claudecodeui): string | undefined {
  if (!existsSync(installed.server)) return "it is not there";
  const load = NATIVE.map((name) => `require(${JSON.stringify(name)})`).join(";");
  // The constructor loads the compiled part of better-sqlite3; the others do so by themselves.
  const script = `${load};new (require("better-sqlite3"))(":memory:")`;
  const { status, stderr } = spawnSync(installed.node, ["-e", script], {
    cwd: path.join(installed.folder, "node_modules", PACKAGE),
    env: userEnvironment(process.env),
    encoding: "utf8",
  });
  return status === 0 ? undefined : (/^.*Error:.*$/m.exec(stderr)?.[0] ?? stderr.trim());
}

async function npm(
  what: string[],
  installed: Claudecodeui,
  { report, signal }: { report: (line: string) => void; signal: AbortSignal | undefined },
): Promise<void> {
  const script = process.env["npm_execpath"];
  const own = userEnvironment(process.env);
  const env = { ...own, PATH: [path.dirname(installed.node), own["PATH"]].join(path.delimiter) };
  const args = [...what, "--loglevel=error"];
  // npm found by its script runs in the Node that we choose; by its name, in the first on the PATH, which is the same.
  const [command, all] = script === undefined ? ["npm", args] : [installed.node, [script, ...args]];
  const child = spawn(command, all, {
    cwd: installed.folder,
    env,
    stdio: ["ignore", "pipe", "pipe"],
    signal,
  });
  let printed = "";
  child.stdout.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (printed += chunk.toString()));
  const progress = reportProgress(installed.folder, report);
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once("error", reject);
    child.once("close", resolve);
  }).finally(() => {
    clearInterval(progress);
  });
  if (code !== 0) throw new Error(`npm could not install claudecodeui:\n${printed.trim().slice(-2_000)}`);
}

/** Says every few seconds for how long and how much, the latter from the free space of the disk, which costs nothing. */
function reportProgress(folder: string, report: (line: string) => void): NodeJS.Timeout {
  const free = () => {
    const { bavail, bsize } = statfsSync(folder);
    return bavail * bsize;
  };
  const before = { free: free(), at: Date.now() };
  return setInterval(() => {
    const megabytes = Math.max(0, Math.round((before.free - free()) / 1e6));
    report(`  ${Math.round((Date.now() - before.at) / 1000)} s, ${megabytes} MB so far`);
  }, 10_000);
}

async function answers(url: string, child: ChildProcess): Promise<boolean> {
  const deadline = Date.now() + START_TIMEOUT_MS;
  while (Date.now() < deadline && child.exitCode === null && child.signalCode === null) {
    const response = await fetch(url).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok === true) return true;
    await delay(50);
  }
  return false;
}

/** Asks the process and what it started to end, and ends them when they do not. */
async function stop(child: ChildProcess): Promise<void> {
  if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
  const ended = new Promise((resolve) => child.once("exit", resolve));
  signalGroup(child.pid, "SIGTERM");
  await Promise.race([ended, delay(STOP_TIMEOUT_MS)]);
  signalGroup(child.pid, "SIGKILL");
  await ended;
}

function signalGroup(leader: number, signal: NodeJS.Signals): void {
  try {
    process.kill(-leader, signal);
  } catch {
    // Nothing of it is left.
  }
}
