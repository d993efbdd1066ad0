/** What a process holds, and by how much more than before. */
import { connect } from "node:net";
import { text } from "node:stream/consumers";
import { setTimeout as delay } from "node:timers/promises";
import type { Measured } from "./probe.ts";

const REST_ROUNDS = 3;
const REST_MS = 400;
const SETTLE_MS = 10_000;
/** What code compiled meanwhile and caches that filled may take. What ten lost connections would leave behind is counted, not weighed. */
const HEAP_MARGIN_BYTES = 1_500_000;
/** A timer's turn can hold one or two that are about to go. */
const OBJECT_MARGIN = 5;

/** Asks the probe in a process. `plant` leaves something behind there first. */
export async function measure(
  socketPath: string,
  ask: "measure" | "plant objects" | "plant bytes" = "measure",
): Promise<Measured> {
  return JSON.parse(await put(socketPath, ask)) as Measured;
}

/** Once what was on its way has gone, and what was compiled and is not used any more. */
export async function measureAtRest(socketPath: string): Promise<Measured> {
  for (let round = 0; round < REST_ROUNDS; round++) {
    await delay(REST_MS);
    await put(socketPath, "collect garbage");
  }
  return measure(socketPath);
}

/**
 * What there is more of than before, a line each; empty where all is as it was. What ends by itself, as a connection kept for the next
 * request, has ten seconds for it.
 */
export async function growthSince(
  before: Measured,
  socketPath: string,
): Promise<{ after: Measured; grown: string[] }> {
  const deadline = performance.now() + SETTLE_MS;
  for (;;) {
    const after = await measureAtRest(socketPath);
    const grown = growth(before, after);
    if (grown.length === 0 || performance.now() > deadline) return { after, grown };
  }
}

function put(socketPath: string, ask: string): Promise<string> {
  const socket = connect(socketPath);
  socket.write(ask);
  return text(socket);
}

/** A line for each thing of which there is more than before. */
export function growth(before: Measured, after: Measured): string[] {
  const grown = Object.entries(after.objects).flatMap(([name, count]) => {
    const more = count - (before.objects[name] ?? 0);
    return more > OBJECT_MARGIN ? [`${more} more ${name}`] : [];
  });
  const bytes = after.heapBytes - before.heapBytes;
  if (bytes > HEAP_MARGIN_BYTES) grown.push(`${bytes} more bytes of heap`);
  const handles = surplus(before.handles, after.handles);
  if (handles.length > 0) grown.push(`more handles: ${handles.join(", ")}`);
  if (after.listeners > before.listeners)
    grown.push(`${after.listeners - before.listeners} more listeners on process`);
  return [...grown, ...after.wrong];
}

function surplus(before: readonly string[], after: readonly string[]): string[] {
  const left = [...before];
  return after.filter((name) => {
    const index = left.indexOf(name);
    if (index < 0) return true;
    left.splice(index, 1);
    return false;
  });
}
