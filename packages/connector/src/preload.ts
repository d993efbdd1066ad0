/**
 * `node --import @ai-orchestrator/connector/preload server.js`: connects the web server of an unmodified program, in its own process.
 * It waits until the program listens and only then loads the connector, so a program that serves nothing runs as it would without.
 * Exports nothing. docs/embedding.md says what it does in child processes.
 */
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import type { Server } from "node:net";
import { isMainThread } from "node:worker_threads";

/**
 * `listen` has completed: since Node 20.15 and 22.3. Where a Node does not say so, the first request a server gets tells of it.
 */
const CHANNELS = ["tracing:net.server.listen:asyncEnd", "http.server.request.start"];

/** Servers are looked at one after the other. */
let looking = Promise.resolve();
const seen = new WeakSet<Server>();

function watch(message: unknown): void {
  const { server } = message as { server?: Server };
  if (server === undefined || seen.has(server) || !isWebServer(server)) return;
  seen.add(server);
  looking = looking.then(() => attach(server)).catch(failed);
}

/** Servers of plain HTTP; a server of https can do this too, and more. */
function isWebServer(server: Server): boolean {
  return "closeIdleConnections" in server && !("setSecureContext" in server);
}

async function attach(server: Server): Promise<void> {
  const { attachServer } = await import("./preload-attach.ts");
  if (await attachServer(server)) for (const channel of CHANNELS) unsubscribe(channel, watch);
}

function failed(error: unknown): void {
  for (const channel of CHANNELS) unsubscribe(channel, watch);
  console.error(`orchestrator: Not connected to a hub: ${String(error)}`);
}

if (isMainThread) for (const channel of CHANNELS) subscribe(channel, watch);
