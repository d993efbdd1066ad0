/** Owners of streams for the simulation: one that has bytes to send, and readers of several temperaments. */
import type { StreamError } from "../errors.ts";
import type { Stream } from "../stream.ts";
import type { StreamHandler } from "../stream-handler.ts";
import type { VirtualClock } from "./virtual-clock.ts";

const PERIOD = 64 * 1024;

/** Bodies are made of this, each stream beginning elsewhere in it: lost, doubled or shifted bytes show. */
const PATTERN = Uint8Array.from(
  { length: 2 * PERIOD },
  (_, place) => (place * 7 + ((place % PERIOD) >> 8)) & 255,
);

/** Where in the pattern a place of a stream's body is. */
function placeIn(streamId: number, place: number): number {
  return (place + streamId * 131) % PERIOD;
}

/** What a peer does: the bytes it sends, whether its half ends after them (it does by default), and how it reads. */
export interface Behaviour {
  bytes: number;
  ends?: boolean;
  temper: Temper;
}

/** Sends a body as fast as credit and room allow. */
export class Source {
  readonly #stream: Stream;
  readonly #bytes: number;
  readonly #ends: boolean;
  sent = 0;

  constructor(stream: Stream, { bytes, ends = true }: Behaviour) {
    this.#stream = stream;
    this.#bytes = bytes;
    this.#ends = ends;
  }

  send(): void {
    const { id } = this.#stream;
    while (this.sent < this.#bytes) {
      const size = Math.min(PERIOD, this.#bytes - this.sent, this.#stream.credit);
      const from = placeIn(id, this.sent);
      const sent = this.#stream.write(PATTERN.subarray(from, from + size));
      if (sent === 0) return;
      this.sent += sent;
    }
    if (this.#ends) this.#stream.end();
  }
}

/**
 * How a reader uses what arrived: at once; so many bytes in a millisecond; all of it every so often; nothing before a time
 * (which may be never).
 */
export type Temper =
  | { is: "eager" }
  | { is: "slow"; bytesPerMs: number }
  | { is: "bursty"; everyMs: number }
  | { is: "stalled"; untilMs: number };

export class Reader {
  readonly #stream: Stream;
  readonly #clock: VirtualClock;
  readonly #temper: Temper;
  received = 0;
  /** The places at which a byte was not the one that was sent. */
  wrong = 0;
  #pending = 0;
  #isBusy = false;

  constructor(stream: Stream, clock: VirtualClock, temper: Temper) {
    this.#stream = stream;
    this.#clock = clock;
    this.#temper = temper;
  }

  take(payload: Uint8Array): void {
    const { id } = this.#stream;
    const from = placeIn(id, this.received);
    for (let index = 0; index < payload.byteLength; index++)
      if (payload[index] !== PATTERN[from + index]) this.wrong++;
    this.received += payload.byteLength;
    this.#pending += payload.byteLength;
    this.#wake();
  }

  #wake(): void {
    if (this.#isBusy || this.#pending === 0) return;
    const wait = this.#waitMs();
    if (wait === 0) return this.#use(this.#pending);
    if (wait === Number.POSITIVE_INFINITY) return;
    this.#isBusy = true;
    const bytes = this.#portion();
    this.#clock.after(wait, () => {
      this.#isBusy = false;
      this.#use(bytes ?? this.#pending);
      this.#wake();
    });
  }

  #use(bytes: number): void {
    this.#pending -= bytes;
    this.#stream.consume(bytes);
  }

  /** How long the next portion takes. */
  #waitMs(): number {
    const temper = this.#temper;
    switch (temper.is) {
      case "eager":
        return 0;
      case "slow":
        return (this.#portion() ?? 0) / temper.bytesPerMs;
      case "bursty":
        return temper.everyMs;
      case "stalled":
        return Math.max(0, temper.untilMs - this.#clock.now);
    }
  }

  /** What a slow reader takes at a time; others take what is there then. */
  #portion(): number | undefined {
    return this.#temper.is === "slow" ? Math.min(this.#pending, 4000) : undefined;
  }
}

/** One end of an exchange: a body out, a body in, and when it was over. */
export class VirtualPeer implements StreamHandler {
  readonly stream: Stream;
  readonly source: Source;
  readonly reader: Reader;
  readonly #clock: VirtualClock;
  endedAt: number | undefined;
  error: StreamError | undefined;

  constructor(stream: Stream, clock: VirtualClock, behaviour: Behaviour) {
    this.stream = stream;
    this.source = new Source(stream, behaviour);
    this.reader = new Reader(stream, clock, behaviour.temper);
    this.#clock = clock;
  }

  data(payload: Uint8Array): void {
    this.reader.take(payload);
  }

  end(): void {
    this.endedAt = this.#clock.now;
  }

  reset(error: StreamError): void {
    this.error = error;
  }

  writable(): void {
    this.source.send();
  }
}
