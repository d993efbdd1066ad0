/** An echoing WebSocket: how long a message takes there and back, and how many pass. */
import { once } from "node:events";
import { WebSocket } from "ws";
import { percentile } from "../../report.ts";
import { withCpu } from "../cpu.ts";
import type { RunningPath } from "../paths/path.ts";
import type { Load, Sample } from "./load.ts";

const ROUND_TRIPS = 1000;
const SMALL = { bytes: 64, inFlight: 64, seconds: 1 };
const LARGE = { bytes: 64 * 1024, inFlight: 16, seconds: 1.5 };

export const webSocketLoad: Load = {
  group: "websocket",
  upstream: "streams",
  // Version 1 has no WebSockets but a chat of its own.
  without: ["version-1"],
  measures: [
    { id: "ws-rtt", title: "WebSocket: 64 B there and back, median", unit: "ms", better: "less", digits: 3 },
    {
      id: "ws-small",
      title: "WebSocket: echoes of 64 B, 64 in flight",
      unit: "messages/s",
      better: "more",
      digits: 0,
    },
    {
      id: "cpu-ws-small",
      title: "CPU of the path: echoes of 64 B",
      unit: "µs an echo",
      better: "less",
      digits: 1,
    },
    {
      id: "ws-large",
      title: "WebSocket: echoes of 64 KiB, 16 in flight",
      unit: "MB/s each way",
      better: "more",
      digits: 0,
    },
  ],
  run: async (path) => {
    const socket = open(path);
    try {
      await once(socket, "open");
      await echo(socket, { ...SMALL, seconds: 0.2 });
      return await measure(path, socket);
    } finally {
      socket.terminate();
    }
  },
};

async function measure(path: RunningPath, socket: WebSocket): Promise<Sample> {
  const rtt = await roundTrip(socket);
  const small = await withCpu(path, "cpu-ws-small", async () => {
    const perSecond = await echo(socket, SMALL);
    return { sample: { "ws-small": perSecond }, count: perSecond * SMALL.seconds };
  });
  const large = await echo(socket, LARGE);
  return { "ws-rtt": rtt, ...small, "ws-large": (large * LARGE.bytes) / 1e6 };
}

function open({ port, prefix, headers, origin }: RunningPath): WebSocket {
  return new WebSocket(`ws://127.0.0.1:${port}${prefix}/echo`, {
    headers: { origin, ...headers },
    perMessageDeflate: false,
  });
}

async function roundTrip(socket: WebSocket): Promise<number> {
  const message = Buffer.alloc(SMALL.bytes, "x");
  const times: number[] = [];
  for (let count = 0; count < ROUND_TRIPS; count++) {
    const begun = performance.now();
    socket.send(message);
    await once(socket, "message");
    times.push(performance.now() - begun);
  }
  return percentile(times, 0.5);
}

/** Keeps so many messages on their way for so long, and returns how many a second came back. */
function echo(socket: WebSocket, { bytes, inFlight, seconds }: typeof SMALL): Promise<number> {
  const message = Buffer.alloc(bytes, "x");
  const begun = performance.now();
  let [sent, received] = [0, 0];
  return new Promise((resolve, reject) => {
    const onMessage = () => {
      received++;
      if (performance.now() - begun < seconds * 1000) send();
      else if (received === sent) end();
    };
    const onClose = (code: number) => {
      reject(new Error(`the WebSocket was closed with ${code}`));
    };
    const end = () => {
      socket.off("message", onMessage).off("close", onClose);
      resolve(received / ((performance.now() - begun) / 1000));
    };
    const send = () => {
      sent++;
      socket.send(message);
    };
    socket.on("message", onMessage).on("close", onClose);
    for (let count = 0; count < inFlight; count++) send();
  });
}
