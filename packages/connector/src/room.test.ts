/** Bodies wait in the connector while its socket is full, and go on when it has room again, whatever the hub says meanwhile. */
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { getDefaultHighWaterMark, setDefaultHighWaterMark } from "node:stream";
import { setTimeout as pause } from "node:timers/promises";
import { afterEach, expect, test, vi } from "vitest";
import { Connection, DEFAULT_PEER_LIMITS } from "@ai-orchestrator/protocol";
import { startFakeHub } from "./testing/fake-hub.ts";
import { OrchestratorClient } from "./client.ts";

const MIB = 1024 * 1024;
const BYTES = 12 * MIB;
/** So large that a hub has no word to say of it: only the socket can tell that there is room. */
const limits = { ...DEFAULT_PEER_LIMITS, stream_window: 8 * BYTES };

const cleanUps: (() => unknown)[] = [];

afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).toReversed()) await cleanUp();
});

const HIGH_WATER_MARK = getDefaultHighWaterMark(false);

test.each([
  ["", HIGH_WATER_MARK],
  [", where the program it is in has its sockets take much", 2 * MIB],
])(
  "four bodies stop at a hub that does not read, and arrive whole once it does%s",
  async (_where, mark) => {
    setDefaultHighWaterMark(false, mark);
    cleanUps.push(() => setDefaultHighWaterMark(false, HIGH_WATER_MARK));
    let handedOver = 0;
    const application = createServer((_request, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream" });
      const block = Buffer.alloc(64 * 1024, 7);
      let left = BYTES;
      const write = () => {
        while (left > 0) {
          left -= block.length;
          handedOver += block.length;
          if (!response.write(block)) return;
        }
        response.end();
      };
      response.on("drain", write);
      write();
    });
    await new Promise<void>((resolve) => application.listen(0, "127.0.0.1", resolve));
    cleanUps.push(
      () => application.close(),
      () => application.closeAllConnections(),
    );
    const hub = await startFakeHub();
    hub.answers.registrations = false;
    cleanUps.push(() => hub.stop());
    const client = new OrchestratorClient({
      url: hub.url,
      token: "orc_test",
      clientId: "room",
      target: `http://127.0.0.1:${(application.address() as AddressInfo).port}`,
      metadata: { hostname: "h", project: "p", platform: "linux" },
    });
    cleanUps.push(() => client.stop());
    client.start();
    await vi.waitFor(() => expect(hub.received).toHaveLength(1), 5000);
    const connection = new Connection({
      role: "hub",
      text: "utf-8",
      local: limits,
      remote: DEFAULT_PEER_LIMITS,
      send: (message) => hub.socket?.send(message),
    });
    const received = [0, 0, 0, 0];
    let ended = 0;
    hub.socket?.on("message", (data: Buffer, isBinary) => {
      if (isBinary) connection.receive(new Uint8Array(data));
    });
    hub.send({
      type: "registered",
      success: true,
      protocol: 2,
      software: { name: "fake-hub", version: "0" },
      limits,
      instance: { label: "here", url: "http://here.hub.localhost:1" },
    });
    for (const index of received.keys()) {
      const head = { kind: "http" as const, method: "GET", target: "/", headers: [] };
      connection.open(
        head,
        {
          data: (payload) => {
            received[index] = (received[index] ?? 0) + payload.byteLength;
          },
          end: () => ended++,
          reset: () => undefined,
          writable: () => undefined,
        },
        true,
      );
    }
    connection.flush();
    hub.socket?.pause();
    let before = -1;
    while (handedOver > before) {
      before = handedOver;
      await pause(500);
    }
    // What is still there is in the application, not in the connector: its own and the system's buffers are far smaller.
    expect(handedOver).toBeLessThan(4 * BYTES);
    hub.socket?.resume();
    await vi.waitFor(() => expect(ended).toBe(4), 15_000);
    expect(received).toEqual([BYTES, BYTES, BYTES, BYTES]);
  },
  30_000,
);
