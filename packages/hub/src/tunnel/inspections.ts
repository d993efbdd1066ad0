/**
 * Asking a connector for its recent log, which also measures the way there. In memory only: whoever asks waits for it, and
 * after an eviction nobody does.
 */
import { encodeControl, type Log } from "@ai-orchestrator/protocol";
import type { Inspection } from "../contracts.ts";

/** How long a connector may take, in milliseconds. */
const PATIENCE_MS = 3000;

interface Asked {
  id: number;
  at: number;
  answer: Promise<Inspection | null>;
  settle(inspection: Inspection | null): void;
}

export class Inspections {
  #asked: Asked | undefined;

  /** Asks over the registered connection's socket; who asks in the meantime gets the same answer. Null where none comes in time. */
  ask(socket: WebSocket): Promise<Inspection | null> {
    if (this.#asked) return this.#asked.answer;
    const { promise, resolve } = Promise.withResolvers<Inspection | null>();
    // A pending timer keeps the object in memory, so none outlives its answer.
    const timer = setTimeout(() => this.cancel(), PATIENCE_MS);
    // Random, so that an answer to what was asked before an eviction is not taken for one to this.
    const [id = 0] = crypto.getRandomValues(new Uint32Array(1));
    const settle = (inspection: Inspection | null) => {
      clearTimeout(timer);
      this.#asked = undefined;
      resolve(inspection);
    };
    this.#asked = { id, at: Date.now(), answer: promise, settle };
    socket.send(encodeControl({ type: "log_request", id }));
    return promise;
  }

  /** What nobody has asked for, or has been answered already, is nothing. */
  answered({ id, lines }: Log): void {
    if (this.#asked?.id !== id) return;
    this.#asked.settle({ latencyMs: Math.max(0, Date.now() - this.#asked.at), log: lines });
  }

  /** The connection has ended, or another has taken its place. */
  cancel(): void {
    this.#asked?.settle(null);
  }
}
