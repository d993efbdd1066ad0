/** A cable between a connector and the hub that can be cut: nothing passes any more, and neither end is told. */
import { once } from "node:events";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export interface Relay {
  /** Where the connector dials; the hub is shown its own host. */
  origin: string;
  /** What has passed so far, in both directions: from the connector (up) and from the hub (down). */
  bytes(): { up: number; down: number };
  cut(): void;
  /** What was on its way arrives now. */
  mend(): void;
  stop(): Promise<void>;
}

export async function startRelay(hub: { origin: string; port: number }): Promise<Relay> {
  const sockets = new Set<Socket>();
  const waiting: (() => void)[] = [];
  const passed = { up: 0, down: 0 };
  let isCut = false;
  const server = createServer((near) => {
    const far = connect(hub.port, "127.0.0.1");
    // The head of the upgrade is one small packet.
    near.once("data", (head: Buffer) => {
      far.write(head.toString("latin1").replace(new URL(origin).host, new URL(hub.origin).host), "latin1");
      near.on("data", (bytes) => far.write(bytes));
    });
    near.on("data", (bytes) => (passed.up += bytes.byteLength));
    far.on("data", (bytes) => {
      passed.down += bytes.byteLength;
      near.write(bytes);
    });
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      if (isCut) from.pause();
      from.on("error", () => undefined);
      from.on("end", () => to.end());
      from.on("close", () => {
        sockets.delete(from);
        if (isCut) waiting.push(() => to.destroy());
        else to.destroy();
      });
    }
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const origin = `http://hub.localhost:${(server.address() as AddressInfo).port}`;
  return {
    origin,
    bytes: () => ({ ...passed }),
    cut: () => {
      isCut = true;
      for (const socket of sockets) socket.pause();
    },
    mend: () => {
      isCut = false;
      for (const hangUp of waiting.splice(0)) hangUp();
      for (const socket of sockets) socket.resume();
    },
    stop: async () => {
      const closed = once(server, "close");
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
