/** The part of the preload that a program which serves something needs: whether it is to be connected, and connecting it. */
import cluster from "node:cluster";
import type { Server } from "node:net";
import { isAlive } from "./claudecodeui/local-server.ts";
import { portOf } from "./discovery.ts";
import { serverOrigin } from "./host-target.ts";
import type { Settings } from "./settings.ts";
import { initializeOrchestrator, readHostSettings, sayOnStderr } from "./initialize.ts";

/**
 * The process that was attached. Its children inherit it, and with NODE_OPTIONS the preload too: a development server that somebody starts
 * in claudecodeui's terminal is none of ours.
 */
const ATTACHED = "AI_ORCHESTRATOR_ATTACHED_PID";

/** Connects a server that listens, where the settings ask for it. True when no other server of this process needs to be looked at. */
export async function attachServer(server: Server): Promise<boolean> {
  if (cluster.isWorker || isBelowAttached()) return true;
  const settings = hostSettings();
  if (settings?.mode === "standalone") return true;
  const origin = originOf(server);
  if (origin === undefined) return false;
  // One that is named is the one that is meant.
  if (settings?.target !== undefined && portOf(settings.target) !== portOf(origin)) return false;
  const client = await initializeOrchestrator({ server });
  if (client) process.env[ATTACHED] = String(process.pid);
  return true;
}

/** Undefined where they will not do: `initializeOrchestrator` says what is wrong. */
function hostSettings(): Settings | undefined {
  try {
    return readHostSettings({});
  } catch {
    return undefined;
  }
}

/** Undefined for a server that this machine's loopback does not reach: another one may come. */
function originOf(server: Server): string | undefined {
  try {
    return serverOrigin(server);
  } catch (error) {
    sayOnStderr(`Not connected to a hub: ${error instanceof Error ? error.message : String(error)}`);
    return undefined;
  }
}

function isBelowAttached(): boolean {
  const pid = Number(process.env[ATTACHED]);
  return Number.isInteger(pid) && pid > 0 && pid !== process.pid && isAlive(pid);
}
