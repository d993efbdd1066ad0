/** The programs of others that are compared with: Debian's, installed where they are missing. */
import { spawnSync } from "node:child_process";
import { existsSync, rmSync, writeFileSync } from "node:fs";

interface Tool {
  program: string;
  package: string;
}

export const nginx: Tool = { program: "/usr/sbin/nginx", package: "nginx-light" };
export const sshd: Tool = { program: "/usr/sbin/sshd", package: "openssh-server" };
export const ssh: Tool = { program: "/usr/bin/ssh", package: "openssh-client" };
export const wrk: Tool = { program: "/usr/bin/wrk", package: "wrk" };

/** Refuses to let a package start its service (invoke-rc.d asks it): the benchmark starts what it needs, and ends it. */
const POLICY = "/usr/sbin/policy-rc.d";

/** Installs what is missing; throws, saying what to do, where that is impossible. */
export function installTools(tools: readonly Tool[]): void {
  const missing = tools.filter(({ program }) => !existsSync(program));
  if (missing.length === 0) return;
  const packages = missing.map((tool) => tool.package);
  const command = `apt-get install ${packages.join(" ")}`;
  if (process.getuid?.() !== 0 || !existsSync("/usr/bin/apt-get")) {
    throw new Error(
      `The benchmark compares with Debian's ${packages.join(", ")}, which this machine lacks. ` +
        `Install them (as root: ${command}), or run it as root on Debian, which does that.`,
    );
  }
  console.log(`Installing ${packages.join(", ")}.`);
  withoutServices(() => {
    if (!install(packages) && !(aptGet(["update", "-q"]) && install(packages)))
      throw new Error(`Could not be installed. Try it by hand, then again: ${command}`);
  });
}

function install(packages: readonly string[]): boolean {
  return aptGet(["install", "-y", "-q", "--no-install-recommends", ...packages]);
}

function aptGet(args: string[]): boolean {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  return spawnSync("apt-get", args, { env, stdio: ["ignore", "ignore", "inherit"] }).status === 0;
}

function withoutServices(work: () => void): void {
  const isOurs = !existsSync(POLICY);
  if (isOurs) writeFileSync(POLICY, "#!/bin/sh\nexit 101\n", { mode: 0o755 });
  try {
    work();
  } finally {
    if (isOurs) rmSync(POLICY, { force: true });
  }
}

/** What is compared with, by name and version. */
export function versions(): string[] {
  const said = [spawnSync(nginx.program, ["-v"]), spawnSync(ssh.program, ["-V"])];
  return said.map(({ stderr }) => stderr.toString().trim().replace("nginx version: ", "").replace(/,.*/, ""));
}
