import { direct } from "./direct.ts";
import { nginx } from "./nginx.ts";
import type { Path, PathName } from "./path.ts";
import { ssh } from "./ssh.ts";
import { tunnel } from "./tunnel.ts";
import { workerd } from "./workerd.ts";
import { versionOne } from "./version-1.ts";

/** In the order of tables. */
const paths: readonly Path[] = [direct, nginx, ssh, tunnel, workerd, versionOne];

export function pathsNamed(names: readonly PathName[]): Path[] {
  return paths.filter(({ name }) => names.includes(name));
}

export function titleOf(name: PathName): string {
  return paths.find((path) => path.name === name)?.title ?? name;
}
