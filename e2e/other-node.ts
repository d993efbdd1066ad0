/** Other versions of Node than the one that runs the tests, as plain packages, kept in `.cache`. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, realpathSync, writeFileSync } from "node:fs";
import path from "node:path";

const repository = path.resolve(import.meta.dirname, "..");
/** The last of each line that people still have. */
const VERSIONS = { 20: "20.20.2", 22: "22.23.3", 24: "24.21.0" } as const;

export type NodeLine = keyof typeof VERSIONS;

/** Node packages are there for these. */
export const hasOtherNodes: boolean = process.platform === "linux" && ["x64", "arm64"].includes(process.arch);

/** Where its executable is. It is fetched once, about 40 MB, unless the running Node is of that line. */
export function otherNode(line: NodeLine): string {
  if (process.versions.node.startsWith(`${line}.`)) return process.execPath;
  const name = `node-linux-${process.arch}`;
  const folder = path.join(repository, ".cache/nodes", VERSIONS[line]);
  const node = path.join(folder, "node_modules", name, "bin/node");
  if (existsSync(node)) return node;
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, "package.json"), '{"private":true}');
  npm(
    process.execPath,
    folder,
    "install",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    `${name}@${VERSIONS[line]}`,
  );
  return node;
}

/** Runs npm itself with this Node, in `folder`; returns what it prints. */
export function npm(node: string, folder: string, ...args: string[]): string {
  return execFileSync(node, [npmScript(), ...args], {
    cwd: folder,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
    // What npm starts finds this Node first.
    env: { ...process.env, PATH: `${path.dirname(node)}${path.delimiter}${process.env["PATH"] ?? ""}` },
  });
}

function npmScript(): string {
  const own = process.env["npm_execpath"];
  if (own?.endsWith("npm-cli.js")) return own;
  const found = (process.env["PATH"] ?? "")
    .split(path.delimiter)
    .map((folder) => path.join(folder, "npm"))
    .find((file) => existsSync(file));
  if (found === undefined) throw new Error("there is no npm in the PATH");
  return realpathSync(found);
}
