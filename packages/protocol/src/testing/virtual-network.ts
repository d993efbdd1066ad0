/** A hub and a connector with a network between them that has a latency and a bandwidth, in virtual time. */
import { Connection } from "../connection.ts";
import { FrameType, readFrames } from "../frames.ts";
import { DEFAULT_PEER_LIMITS, type PeerLimits } from "../limits.ts";
import type { Stream } from "../stream.ts";
import type { StreamHandler } from "../stream-handler.ts";
import { VirtualClock } from "./virtual-clock.ts";

export interface NetworkOptions {
  /** One way, in milliseconds. */
  latencyMs: number;
  /** Each way; infinite by default. */
  bytesPerMs?: number;
  /** Up to so many milliseconds more for each message, at random but always the same; messages never overtake. */
  jitterMs?: number;
  /** What both ends take. */
  limits?: Partial<PeerLimits>;
  /** False: to both ends no time passes, so windows stay as they are. */
  grows?: boolean;
  /** Bytes that the connector lets wait in its socket before bodies must. Default: any number. */
  roomBytes?: number;
  /** The connector's owner of each new stream. */
  serve: (stream: Stream) => StreamHandler;
}

/** What is on its way in one direction, by stream: bytes of DATA and bytes of credit. */
interface OnTheWire {
  data: Map<number, number>;
  credit: Map<number, number>;
}

type Way = "toHub" | "toConnector";

export class VirtualNetwork {
  readonly clock = new VirtualClock();
  readonly hub: Connection;
  readonly connector: Connection;
  readonly window: number;
  readonly wire: Record<Way, OnTheWire> = { toHub: nothing(), toConnector: nothing() };
  /** Streams of which something was sent or has arrived in this instant. */
  readonly touched = new Set<number>();
  readonly messages: Record<Way, number> = { toHub: 0, toConnector: 0 };
  readonly #busyUntil: Record<Way, number> = { toHub: 0, toConnector: 0 };
  readonly #lastArrival: Record<Way, number> = { toHub: 0, toConnector: 0 };
  #random = 1;
  #serveNext: NetworkOptions["serve"] | undefined;
  readonly #options: NetworkOptions;

  constructor(options: NetworkOptions) {
    this.#options = options;
    const limits = { ...DEFAULT_PEER_LIMITS, ...options.limits };
    this.window = limits.stream_window;
    const common = {
      local: limits,
      remote: limits,
      schedule: (flush: () => void) => this.clock.after(0, flush),
      // In whole milliseconds, as workerd's.
      now: () => (options.grows === false ? 0 : Math.floor(this.clock.now)),
    };
    const { roomBytes } = options;
    this.hub = new Connection({
      ...common,
      role: "hub",
      text: "utf-8",
      send: (message) => this.#carry("toConnector", message),
    });
    this.connector = new Connection({
      ...common,
      ...(roomBytes === undefined ? {} : { room: () => roomBytes - this.waitingBytes }),
      role: "connector",
      text: "latin1",
      send: (message) => this.#carry("toHub", message),
      request: (stream) => {
        const serve = this.#serveNext ?? options.serve;
        this.#serveNext = undefined;
        stream.handler = serve(stream);
      },
    });
  }

  /** The next new stream's owner at the connector. */
  serveNext(serve: NetworkOptions["serve"]): void {
    this.#serveNext = serve;
  }

  /** Bytes that wait in the connector's socket. */
  get waitingBytes(): number {
    const { bytesPerMs = Number.POSITIVE_INFINITY } = this.#options;
    const waitsMs = Math.max(0, this.#busyUntil.toHub - this.clock.now);
    return waitsMs === 0 ? 0 : waitsMs * bytesPerMs;
  }

  #carry(way: Way, message: Uint8Array): void {
    const { clock } = this;
    const { latencyMs, bytesPerMs = Number.POSITIVE_INFINITY } = this.#options;
    this.messages[way]++;
    this.#count(message, this.wire[way], 1);
    const leaves = Math.max(clock.now, this.#busyUntil[way]) + message.byteLength / bytesPerMs;
    this.#busyUntil[way] = leaves;
    const arrives = Math.max(leaves + latencyMs + this.#jitter(), this.#lastArrival[way]);
    this.#lastArrival[way] = arrives;
    if (way === "toHub") {
      clock.after(leaves - clock.now, () => {
        if (this.#busyUntil[way] <= clock.now) this.connector.drained();
      });
    }
    clock.after(arrives - clock.now, () => {
      this.#count(message, this.wire[way], -1);
      const failure = (way === "toHub" ? this.hub : this.connector).receive(message);
      if (failure) throw failure;
    });
  }

  #jitter(): number {
    this.#random = (this.#random * 48_271) % 0x7fff_ffff;
    return ((this.#options.jitterMs ?? 0) * this.#random) / 0x7fff_ffff;
  }

  #count(message: Uint8Array, wire: OnTheWire, sign: 1 | -1): void {
    readFrames(message, {
      frame: ({ type, streamId, payload }) => {
        const add = (to: Map<number, number>, bytes: number) =>
          to.set(streamId, (to.get(streamId) ?? 0) + sign * bytes);
        this.touched.add(streamId);
        if (type === FrameType.DATA) add(wire.data, payload.byteLength);
        if (type === FrameType.WINDOW) add(wire.credit, new DataView(payload.slice().buffer).getUint32(0));
      },
      malformed: ({ streamId }) => {
        throw new Error(`a malformed frame of stream ${streamId} was sent`);
      },
    });
  }
}

function nothing(): OnTheWire {
  return { data: new Map(), credit: new Map() };
}
