/** Exchanges over a virtual network, with what must hold of each at the end of every instant. */
import { expect } from "vitest";
import type { Connection } from "../connection.ts";
import { LIMITS } from "../limits.ts";
import { requestHead } from "./pair.ts";
import { VirtualNetwork, type NetworkOptions } from "./virtual-network.ts";
import { VirtualPeer, type Temper } from "./virtual-peers.ts";

const EAGER: Temper = { is: "eager" };

/** What one exchange moves: a body each way, and how each is read. */
export interface Exchange {
  down: number;
  up?: number;
  atHub?: Temper;
  atConnector?: Temper;
  /** False: both halves stay open after their bodies. */
  ends?: boolean;
}

export interface Ends {
  hub: VirtualPeer;
  connector: VirtualPeer;
}

/** A network with these exchanges begun; its invariants are checked at the end of every instant. */
export function simulate(options: Omit<NetworkOptions, "serve">, exchanges: Exchange[]) {
  const served = new Map<number, VirtualPeer>();
  const network: VirtualNetwork = new VirtualNetwork({
    ...options,
    serve: (stream) => {
      const { down, atConnector = EAGER, ends: halvesEnd = true } = exchanges[stream.id - 1] ?? { down: 0 };
      const behaviour = { bytes: down, temper: atConnector, ends: halvesEnd };
      const peer = new VirtualPeer(stream, network.clock, behaviour);
      served.set(stream.id, peer);
      stream.respond({ status: 200, headers: [] });
      peer.source.send();
      return peer;
    },
  });
  const hubs = exchanges.map(({ up = 0, atHub = EAGER, ends: halvesEnd = true }) => {
    const handler = {
      data: () => undefined,
      end: () => undefined,
      reset: () => undefined,
      writable: () => undefined,
    };
    const stream = network.hub.open(requestHead({ method: "POST" }), handler, false);
    const peer = new VirtualPeer(stream, network.clock, { bytes: up, temper: atHub, ends: halvesEnd });
    stream.handler = peer;
    peer.source.send();
    return peer;
  });
  const ends = (): Ends[] =>
    hubs.flatMap((hub) => {
      const connector = served.get(hub.stream.id);
      return connector ? [{ hub, connector }] : [];
    });
  let leftBefore = 0;
  network.clock.afterInstant = () => {
    for (const id of network.touched) {
      const [hub, connector] = [hubs[id - 1], served.get(id)];
      if (hub && connector) expectInvariants(network, { hub, connector });
    }
    network.touched.clear();
    const left = network.hub.path.growth + network.connector.path.growth;
    if (left === leftBefore) return;
    leftBefore = left;
    expectGrowth(network.hub, grownBy(hubs, network.window));
    expectGrowth(network.connector, grownBy([...served.values()], network.window));
  };
  return { network, clock: network.clock, ends };
}

/** Of each direction of a stream: nothing is lost or made, and nobody has more than the window out. */
function expectInvariants(network: VirtualNetwork, { hub, connector }: Ends): void {
  const { wire } = network;
  const { id } = hub.stream;
  const directions = [
    { from: hub.stream, to: connector.stream, data: wire.toConnector.data, credit: wire.toHub.credit },
    { from: connector.stream, to: hub.stream, data: wire.toHub.data, credit: wire.toConnector.credit },
  ];
  for (const { from, to, data, credit } of directions) {
    const inFlight = data.get(id) ?? 0;
    const held = to.held;
    const { size: window } = to.state.receive;
    if (inFlight + held > window || inFlight < 0 || held < 0)
      expect({ id, inFlight, held }).toBe("within the window");
    if (from.isOver || to.isOver || to.state.remoteEnded) continue;
    const sum = from.credit + inFlight + held + to.state.receive.unreturned + (credit.get(id) ?? 0);
    if (sum !== window) expect(sum).toBe(window);
  }
}

export function expectComplete({ hub, connector }: Ends, { down, up = 0 }: Exchange): void {
  expect(hub.reader).toMatchObject({ received: down, wrong: 0 });
  expect(connector.reader).toMatchObject({ received: up, wrong: 0 });
  expect([hub.stream.isOver, connector.stream.isOver]).toEqual([true, true]);
}

/** What open streams have grown by is what the path has less; together it is never more than the path ever had. */
function expectGrowth({ path }: Connection, grown: number): void {
  if (path.growth < 0 || grown + path.growth > LIMITS.windowGrowthBytes)
    expect({ grown, left: path.growth }).toBe("no more than the growth of all windows");
}

function grownBy(peers: VirtualPeer[], window: number): number {
  const open = peers.filter(({ stream }) => !stream.isOver);
  return open.reduce((sum, { stream }) => sum + stream.state.receive.size - window, 0);
}
