/**
 * One end sends a piece only once the other has confirmed the one before: whatever on the way waits for more before it passes on what
 * it has, waits for ever. Nothing here depends on how fast anything is.
 */
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocketServer, type WebSocket } from "ws";

/** Far more than a piece takes, for what would never come. */
const PATIENCE_MS = 10_000;

/** The confirmations of one exchange, from whichever end receives to the one that sends. */
export class Lockstep {
  readonly pieces: number;
  #confirmed = 0;
  #wake: (() => void) | undefined;

  constructor(pieces: number) {
    this.pieces = pieces;
  }

  confirm(): void {
    this.#confirmed++;
    this.#wake?.();
  }

  /** Sends each piece once the one before was confirmed; throws where one does not arrive. */
  async send(write: (index: number) => void): Promise<void> {
    for (let index = 0; index < this.pieces; index++) {
      write(index);
      await this.#arrived(index);
    }
  }

  async #arrived(index: number): Promise<void> {
    const ended = new AbortController();
    const tooLate = delay(PATIENCE_MS, "late", { signal: ended.signal }).catch(() => "arrived");
    while (this.#confirmed <= index) {
      const confirmed = new Promise<string>((resolve) => (this.#wake = () => resolve("arrived")));
      if ((await Promise.race([confirmed, tooLate])) === "late")
        throw new Error(
          `Of ${this.pieces} pieces ${this.#confirmed} arrived: the next waits for what follows it.`,
        );
    }
    ended.abort();
  }
}

/** Confirms each piece of a text that ends with `|`, whatever else is put into it on the way. Returns how many there were. */
export async function confirmPieces(text: AsyncIterable<Buffer>, lockstep: Lockstep): Promise<number> {
  let count = 0;
  for await (const chunk of text) {
    for (const _end of chunk.toString("latin1").matchAll(/\|/g)) {
      count++;
      lockstep.confirm();
    }
  }
  return count;
}

export interface LockstepUpstream {
  target: string;
  /** What the next request is answered with, piece by piece: its content type and its pieces. */
  answer: { type: string; piece: (index: number) => string };
  /** The exchange in progress. */
  lockstep: Lockstep;
  /** Rejects where the last answer could not be sent. */
  sent: Promise<void>;
  /** The last WebSocket. */
  socket: WebSocket | undefined;
  stop(): Promise<void>;
}

/** An application: GET sends `answer` in lockstep, POST confirms each piece of its body, WebSockets do nothing by themselves. */
export async function startLockstepUpstream(): Promise<LockstepUpstream> {
  const server = http.createServer((request, response) => {
    const { lockstep, answer } = upstream;
    if (request.method === "POST") {
      confirmPieces(request, lockstep).then(
        (count) => response.end(String(count)),
        (error: Error) => response.destroy(error),
      );
      return;
    }
    response.writeHead(200, { "content-type": answer.type });
    upstream.sent = lockstep
      .send((index) => response.write(answer.piece(index)))
      .finally(() => response.end());
    // Whoever waits for the answer's end hears of it then.
    upstream.sent.catch(() => undefined);
  });
  const webSockets = new WebSocketServer({ server });
  webSockets.on("connection", (socket) => (upstream.socket = socket));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const upstream: LockstepUpstream = {
    target: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    answer: { type: "text/plain", piece: String },
    lockstep: new Lockstep(0),
    sent: Promise.resolve(),
    socket: undefined,
    stop: async () => {
      webSockets.close();
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return upstream;
}
