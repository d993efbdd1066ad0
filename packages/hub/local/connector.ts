/** The connector as the runner's child: the same command line that people use, its lines shown with a prefix. */
import { spawn } from "node:child_process";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";
import { built } from "./paths.ts";
import { withoutSettings } from "./settings.ts";

const STOP_TIMEOUT_MS = 1_500;

export interface ConnectorProcess {
  pid: number;
  /** True until it has ended. */
  running(): boolean;
  stop(): Promise<void>;
}

export interface ConnectorSettings {
  /** Origin of the hub. */
  hub: string;
  /** Origin of the claudecodeui to attach. */
  target: string;
  token: string;
  environment: Record<string, string>;
}

/** Starts `orchestrator connect`; the token goes by the environment, because command lines can be read by everyone. */
export function startConnector(
  settings: ConnectorSettings,
  onLine: (line: string) => void,
): ConnectorProcess {
  const child = spawn(process.execPath, [built.connectorCli, "connect", "--target", settings.target], {
    env: {
      ...withoutSettings(process.env),
      ...settings.environment,
      ORCHESTRATOR_URL: settings.hub,
      ORCHESTRATOR_TOKEN: settings.token,
    },
    stdio: ["ignore", "pipe", "pipe"],
    // A group of its own: Ctrl-C reaches the runner only, which then ends this while the hub still listens.
    detached: true,
  });
  let ended = false;
  const exit = new Promise<void>((resolve) => {
    child.once("error", (error) => {
      onLine(error.message);
      resolve();
    });
    child.once("exit", () => {
      resolve();
    });
  }).then(() => {
    ended = true;
  });
  createInterface({ input: child.stdout }).on("line", onLine);
  createInterface({ input: child.stderr }).on("line", onLine);
  return {
    pid: child.pid ?? 0,
    running: () => !ended,
    stop: async () => {
      child.kill("SIGTERM");
      await Promise.race([exit, delay(STOP_TIMEOUT_MS)]);
      if (!ended) child.kill("SIGKILL");
      await exit;
    },
  };
}
