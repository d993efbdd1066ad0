/** Stands between the connector and claudecodeui and reads what is sent: the only place where the real tokens can be seen. */
import { connect, createServer, type AddressInfo } from "node:net";
import { pipeline } from "node:stream";

export interface Tap {
  /** What the connector takes for claudecodeui. */
  origin: string;
  /** Every token claudecodeui was given so far. */
  tokens(): string[];
  /** `GET /path` of every request so far, in order. */
  requests(): string[];
  stop(): Promise<void>;
}

/** Passes every connection on to `port` of this machine. */
export async function startTap(port: number): Promise<Tap> {
  const sent: Buffer[][] = [];
  const requests: string[] = [];
  const open = new Set<{ destroy(): void }>();
  const server = createServer((client) => {
    const upstream = connect(port, "127.0.0.1");
    const chunks: Buffer[] = [];
    sent.push(chunks);
    client.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      // A head comes in one piece.
      const lines = chunk.toString("latin1").matchAll(/^([A-Z]+ \S+) HTTP\/1\.1\r$/gm);
      requests.push(...Array.from(lines, ([, line = ""]) => line));
    });
    open.add(client).add(upstream);
    // Either side ends the other; why it ended is theirs to report.
    pipeline(client, upstream, client, () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests: () => [...requests],
    tokens: () => {
      const texts = sent.map((chunks) => Buffer.concat(chunks).toString("latin1"));
      const found = texts.flatMap((text) => [...text.matchAll(/^authorization: bearer (\S+)/gim)]);
      return [...new Set(found.map(([, token = ""]) => token))];
    },
    stop: () => {
      for (const socket of open) socket.destroy();
      return new Promise((resolve) => {
        server.close(() => resolve());
      });
    },
  };
}
