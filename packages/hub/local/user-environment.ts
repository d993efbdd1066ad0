import path from "node:path";
import { withoutSettings } from "./settings.ts";

/**
 * The environment as it was in the person's shell, before npm put its variables and `node_modules/.bin` (and with it
 * another Node) there, and without the hub's settings. npm's settings (`npm_config_*`) stay, except those that point npm at
 * this repository.
 */
export function userEnvironment(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const dropped = /^(npm_(?!config_)|npm_config_(local_prefix|global_prefix|prefix)$|INIT_CWD$|NODE$)/;
  const kept = Object.entries(withoutSettings(environment)).filter(([name]) => !dropped.test(name));
  return { ...Object.fromEntries(kept), PATH: userPath(environment["PATH"] ?? "") };
}

function userPath(text: string): string {
  return text
    .split(path.delimiter)
    .filter((folder) => !/[\\/]node_modules[\\/](\.bin|.*node-gyp-bin)$/.test(folder))
    .join(path.delimiter);
}

/** The Node that runs npm: the person's own, for which native modules are compiled; this one where npm did not start us. */
export function userNode(environment: NodeJS.ProcessEnv): string {
  return environment["npm_node_execpath"] ?? process.execPath;
}
