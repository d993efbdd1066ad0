/**
 * Loaded with `--import` into a process that is measured: tells, over the socket `PROBE_SOCKET`, what the process holds once all garbage is
 * collected, and what went wrong in it.
 */
import { EventEmitter } from "node:events";
import { ClientRequest, IncomingMessage } from "node:http";
import { createServer, Socket } from "node:net";
import { setImmediate as nextTurn } from "node:timers/promises";
import * as v8 from "node:v8";
import { runInNewContext } from "node:vm";

export interface Measured {
  heapBytes: number;
  /** How many there are of a class, those that inherit from it included. */
  objects: Record<string, number>;
  handles: string[];
  /** Listeners on `process`. */
  listeners: number;
  /** Unhandled rejections, uncaught exceptions and warnings since the start. */
  wrong: string[];
}

const CLASSES = { EventEmitter, Socket, ClientRequest, IncomingMessage };
const wrong: string[] = [];
/** What a test has planted. */
const planted: unknown[] = [];

v8.setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

process.on("unhandledRejection", (error) => wrong.push(`unhandled rejection: ${describe(error)}`));
process.on("uncaughtExceptionMonitor", (error) => wrong.push(`uncaught exception: ${describe(error)}`));
process.on("warning", (warning) => {
  // What the probe itself uses.
  if (!warning.message.includes("queryObjects")) wrong.push(`warning: ${describe(warning)}`);
});

createServer((socket) => {
  socket.on("data", (question) => {
    if (String(question) === "plant objects")
      planted.push(...Array.from({ length: 10 }, () => new EventEmitter()));
    if (String(question) === "plant bytes")
      planted.push(Array.from({ length: 250_000 }, (_, index) => index + 0.5));
    const asked = String(question) === "collect garbage" ? rest() : measure();
    asked.then(
      (measured) => socket.end(JSON.stringify(measured ?? {})),
      (error: unknown) => socket.destroy(error as Error),
    );
  });
  socket.on("error", () => socket.destroy());
})
  .listen(process.env["PROBE_SOCKET"])
  .unref();

async function rest(): Promise<void> {
  for (let round = 0; round < 5; round++) {
    collectGarbage();
    await nextTurn();
  }
}

async function measure(): Promise<Measured> {
  await rest();
  // Counting collects what garbage collection alone leaves for later.
  const objects = Object.fromEntries(
    Object.entries(CLASSES).map(([name, type]) => [name, v8.queryObjects(type, { format: "count" })]),
  );
  return {
    heapBytes: process.memoryUsage().heapUsed,
    objects,
    handles: process.getActiveResourcesInfo().toSorted(),
    listeners: process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0),
    wrong,
  };
}

function describe(error: unknown): string {
  return error instanceof Error ? (error.stack ?? error.message) : String(error);
}
