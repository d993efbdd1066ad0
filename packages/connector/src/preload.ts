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
  // It may listen again, elsewhere too.
  server.once("close", () => seen.delete(server));
  looking = looking.then(() => attach(server)).catch(failed);
}

/** Servers of plain HTTP; a server of https can do this too, and more. */
function isWebServer(server: Server): boolean {
  return "closeIdleConnections" in server && !("setSecureContext" in server);
}

async function attach(server: Server): Promise<void> {
  const { attachServer } = await import("./preload-attach.ts");
  // While one was looked at, another one may have been connected.
  if (!isWatching || !server.listening || !(await attachServer(server))) return;
  stopWatching();
  // Development servers begin anew in the same process: what listens next takes its place.
  server.once("close", startWatching);
}

function failed(error: unknown): void {
  stopWatching();
  console.error(`orchestrator: Not connected to a hub: ${String(error)}`);
}

let isWatching = false;

function startWatching(): void {
  if (!isWatching) for (const channel of CHANNELS) subscribe(channel, watch);
  isWatching = true;
}

function stopWatching(): void {
  for (const channel of CHANNELS) unsubscribe(channel, watch);
  isWatching = false;
}

if (isMainThread) startWatching();
