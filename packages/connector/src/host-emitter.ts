/**
 * Events for a program that is not ours: what one of its listeners throws, or rejects with, stays there. It becomes a
 * warning of the process (`process.on("warning")`; by default a line on stderr), the other listeners are told all the same,
 * and neither the connection nor the program ends by it. `error` is an event as any other: without a listener nothing happens.
 */
import { EventEmitter } from "node:events";

type EventMap<T> = Record<keyof T, unknown[]>;
type Listener = (...values: unknown[]) => unknown;

export class HostEmitter<T extends EventMap<T>> extends EventEmitter<T> {
  override emit(name: unknown, ...values: unknown[]): boolean {
    const listeners: unknown[] = this.rawListeners(name as never);
    for (const listener of listeners) {
      try {
        // Promises of other kinds too: a test runner's own, a library's.
        Promise.resolve((listener as Listener).apply(this, values)).catch((error: unknown) =>
          warn(name, error),
        );
      } catch (error) {
        warn(name, error);
      }
    }
    return listeners.length > 0;
  }
}

function warn(name: unknown, error: unknown): void {
  const what = error instanceof Error ? (error.stack ?? error.message) : String(error);
  process.emitWarning(`A listener for "${String(name)}" failed: ${what}`, {
    type: "OrchestratorWarning",
    code: "ORCHESTRATOR_LISTENER",
  });
}
