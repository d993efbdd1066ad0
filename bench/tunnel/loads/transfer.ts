/** Bodies: one of 256 MiB each way, and the same bytes in bodies that version 1 can carry. */
import { once } from "node:events";
import * as http from "node:http";
import { withCpu } from "../cpu.ts";
import { answerOf, begin, drain } from "../http.ts";
import type { RunningPath } from "../paths/path.ts";
import type { Load } from "./load.ts";

const MIB = 1024 * 1024;
const WHOLE = 256 * MIB;
/** Version 1 carries 8 MiB of text up, and 12 MiB of message down, in which base64 makes 4 of 3. */
const PART = 4 * MIB;
/** Text, because version 1 knows nothing else on the way up. */
const PIECE = Buffer.alloc(256 * 1024, "0123456789abcdef");

export const transferLoads: Load[] = [
  transfer("download", "Download of 256 MiB", { bytes: WHOLE, bodies: 1, send: download }),
  transfer("upload", "Upload of 256 MiB", { bytes: WHOLE, bodies: 1, send: upload }),
  transfer("download-parts", "Download in 4 MiB bodies, 64 MiB in all", {
    bytes: PART,
    bodies: 16,
    send: download,
  }),
  transfer("upload-parts", "Upload in 4 MiB bodies, 64 MiB in all", {
    bytes: PART,
    bodies: 16,
    send: upload,
  }),
];

interface Shape {
  bytes: number;
  /** One after the other, on one connection. */
  bodies: number;
  send: (path: RunningPath, agent: http.Agent, bytes: number) => Promise<void>;
}

function transfer(id: string, title: string, { bytes, bodies, send }: Shape): Load {
  const cpu = `cpu-${id}`;
  const all = bytes * bodies;
  const load: Load = {
    group: "transfer",
    upstream: "streams",
    measures: [
      { id, title, unit: "MB/s", better: "more", digits: 0 },
      {
        id: cpu,
        title: `CPU of the path: ${title}`,
        unit: "µs a KiB",
        better: "less",
        digits: 2,
      },
    ],
    run: (path) =>
      withCpu(path, cpu, async () => {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        const begun = performance.now();
        try {
          for (let body = 0; body < bodies; body++) await send(path, agent, bytes);
        } finally {
          agent.destroy();
        }
        const seconds = (performance.now() - begun) / 1000;
        return { sample: { [id]: all / 1e6 / seconds }, count: all / 1024 };
      }),
  };
  return bodies > 1 ? load : { ...load, without: ["version-1"], memory: { id: `memory-${id}`, title } };
}

async function download(path: RunningPath, agent: http.Agent, bytes: number): Promise<void> {
  const request = begin(path, `/bytes?count=${bytes}`, { agent });
  request.end();
  const received = await drain(await answerOf(path, request));
  if (received !== bytes) throw new Error(`${path.origin} sent ${received} bytes of ${bytes}`);
}

async function upload(path: RunningPath, agent: http.Agent, bytes: number): Promise<void> {
  const headers = { origin: path.origin, "content-type": "text/plain", "content-length": bytes };
  const request = begin(path, "/drain", { method: "POST", agent, headers });
  const answered = answerOf(path, request);
  await Promise.race([writeAll(request, bytes), answered]);
  const answer = await answered;
  let text = "";
  for await (const chunk of answer as AsyncIterable<Buffer>) text += chunk.toString();
  if (Number(text) !== bytes) throw new Error(`${path.origin} took ${text} bytes of ${bytes}`);
}

async function writeAll(request: http.ClientRequest, bytes: number): Promise<void> {
  for (let left = bytes; left > 0; left -= PIECE.length)
    if (!request.write(PIECE)) await once(request, "drain");
  request.end();
}
