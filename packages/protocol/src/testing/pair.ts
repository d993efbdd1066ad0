/** A hub and a connector joined in memory. Nothing moves by itself: `settle` ends the turn and carries what was sent. */
import { Connection, type ConnectionOptions } from "../connection.ts";
import type { ConnectionError } from "../errors.ts";
import type { RequestHead } from "../header-block.ts";
import { DEFAULT_PEER_LIMITS, type PeerLimits } from "../limits.ts";
import type { Stream } from "../stream.ts";
import type { StreamState } from "../stream-link.ts";
import { Recorder } from "./recorder.ts";

export interface PairOptions {
  /** What the hub takes and what the connector takes. */
  hub?: Partial<PeerLimits>;
  connector?: Partial<PeerLimits>;
  /** Instead of a `Recorder` for each new stream at the connector. */
  request?: (stream: Stream, head: RequestHead, ended: boolean) => void;
}

/** A GET of `/`, or what is asked for. */
export function requestHead(head: Partial<RequestHead> = {}): RequestHead {
  return { kind: "http", method: "GET", target: "/", headers: [], ...head };
}

export class Pair {
  hub: Connection;
  readonly connector: Connection;
  readonly #hubOptions: ConnectionOptions;
  /** Messages on their way. */
  readonly toHub: Uint8Array[] = [];
  readonly toConnector: Uint8Array[] = [];
  /** How many messages each way so far. */
  readonly sent = { toHub: 0, toConnector: 0 };
  /** What the connector was asked, by stream id. */
  readonly accepted = new Map<number, Recorder>();
  readonly ends: ConnectionError[] = [];
  readonly #turn: (() => void)[] = [];

  constructor(options: PairOptions = {}) {
    const hubTakes = { ...DEFAULT_PEER_LIMITS, ...options.hub };
    const connectorTakes = { ...DEFAULT_PEER_LIMITS, ...options.connector };
    const schedule = (flush: () => void) => void this.#turn.push(flush);
    // Nothing here takes time, on no machine.
    const now = () => 0;
    this.#hubOptions = {
      now,
      role: "hub",
      text: "utf-8",
      local: hubTakes,
      remote: connectorTakes,
      schedule,
      send: (message) => this.#sent("toConnector", message),
    };
    this.hub = new Connection(this.#hubOptions);
    this.connector = new Connection({
      now,
      role: "connector",
      text: "latin1",
      local: connectorTakes,
      remote: hubTakes,
      schedule,
      send: (message) => this.#sent("toHub", message),
      request: options.request ?? ((stream, head) => this.#accept(stream, head)),
    });
  }

  /** Opens a stream from the hub and carries it over; `hub` and `connector` are the two ends' owners. */
  open(head: Partial<RequestHead> = {}, end = false): { hub: Recorder; connector: Recorder } {
    const hub = new Recorder();
    hub.stream = this.hub.open(requestHead(head), hub, end);
    this.settle();
    return { hub, connector: this.at(hub.stream.id) };
  }

  /** Opens a WebSocket that was answered with 101. */
  openWebSocket(): { hub: Recorder; connector: Recorder } {
    const ends = this.open({ kind: "websocket" });
    ends.connector.stream?.respond({ status: 101, headers: [] });
    this.settle();
    return ends;
  }

  /** The hub loses its memory; these owners' open WebSockets live on from what was stored of their streams. */
  evictHub(owners: Recorder[]): void {
    this.endTurn();
    const former = this.hub;
    this.hub = new Connection(this.#hubOptions);
    this.hub.skipIds(former.lastId);
    for (const owner of owners) {
      if (!owner.stream || owner.stream.isOver) continue;
      const stored = JSON.parse(JSON.stringify(owner.stream.state)) as StreamState;
      owner.stream = this.hub.restore(stored, owner);
    }
  }

  /** The connector's owner of a stream. */
  at(id: number): Recorder {
    const recorder = this.accepted.get(id);
    if (!recorder) throw new Error(`no stream ${id} at the connector`);
    return recorder;
  }

  /** Ends the turn at both ends: what was written becomes messages. */
  endTurn(): void {
    for (const flush of this.#turn.splice(0)) flush();
  }

  /** Carries everything over until nothing moves. */
  settle(): void {
    while (this.carry());
  }

  /** Ends the turn and carries one message each way; false if there was none. */
  carry(): boolean {
    this.endTurn();
    const toHub = this.toHub.shift();
    const toConnector = this.toConnector.shift();
    if (toHub) this.#deliver(this.hub, toHub);
    if (toConnector) this.#deliver(this.connector, toConnector);
    return toHub !== undefined || toConnector !== undefined;
  }

  #deliver(to: Connection, message: Uint8Array): void {
    const end = to.receive(message);
    if (end) this.ends.push(end);
  }

  #sent(way: "toHub" | "toConnector", message: Uint8Array): void {
    this.sent[way]++;
    this[way].push(message);
  }

  #accept(stream: Stream, head: RequestHead): void {
    const recorder = new Recorder();
    recorder.head = head;
    recorder.stream = stream;
    stream.handler = recorder;
    this.accepted.set(stream.id, recorder);
  }
}
