/**
 * Commands that a connector says it has done. In memory only, as `Inspections`: whoever asks waits for it, and after an eviction
 * nobody does.
 */
import { encodeControl, type Command, type CommandDone } from "@ai-orchestrator/protocol";

/** How long a connector may take, in milliseconds: less than a UserHub waits for a Tunnel. */
const PATIENCE_MS = 1500;

interface Given {
  id: number;
  done: Promise<boolean>;
  settle(isDone: boolean): void;
}

export class Commands {
  readonly #given = new Map<Command["command"], Given>();

  /** Gives it over the registered connection's socket; who gives it in the meantime hears the same. False where it is not done in time. */
  give(socket: WebSocket, command: Command["command"]): Promise<boolean> {
    const given = this.#given.get(command);
    if (given) return given.done;
    const { promise, resolve } = Promise.withResolvers<boolean>();
    // A pending timer keeps the object in memory, so none outlives its answer.
    const timer = setTimeout(() => settle(false), PATIENCE_MS);
    // Random, so that an answer to what was given before an eviction is not taken for one to this.
    const [id = 0] = crypto.getRandomValues(new Uint32Array(1));
    const settle = (isDone: boolean) => {
      clearTimeout(timer);
      this.#given.delete(command);
      resolve(isDone);
    };
    this.#given.set(command, { id, done: promise, settle });
    socket.send(encodeControl({ type: "command", command, id }));
    return promise;
  }

  /** What nobody waits for is nothing. */
  answered({ id }: CommandDone): void {
    for (const given of this.#given.values()) if (given.id === id) given.settle(true);
  }

  /** The connection has ended, or another has taken its place. */
  cancel(): void {
    for (const given of this.#given.values()) given.settle(false);
  }
}
