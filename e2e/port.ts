import { once } from "node:events";
import { createServer } from "node:net";

/** Below what Linux takes for connections that go out: one of those, such as a connector that looks for its hub, could take a port between look and use. */
const FIRST = 15_000;
const LAST = 32_000;

/** A TCP port of 127.0.0.1 that nobody listens on now. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * (LAST - FIRST));
    if (await isFree(port)) return port;
  }
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  try {
    await once(server, "listening");
    server.close();
    await once(server, "close");
    return true;
  } catch {
    // Taken.
    return false;
  }
}
