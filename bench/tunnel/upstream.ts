/** The programs behind the paths. */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { freePort } from "../../e2e/hub.ts";
import { atEnd } from "./cleanup.ts";
import { startNginx } from "./nginx.ts";
import type { Target } from "./paths/path.ts";

/** Answers `/1k` with 1 KiB, far faster than any path asks. */
export async function startSmall(): Promise<Target> {
  const port = await freePort();
  const server = `server { listen 127.0.0.1:${port}; location / { return 200 "${"x".repeat(1024)}"; } }`;
  await startNginx(port, server);
  return { port };
}

/** The program of `upstream-process.ts`: bodies, streams, WebSockets. */
export async function startStreams(): Promise<Target> {
  const script = path.join(import.meta.dirname, "upstream-process.ts");
  const child = fork(script, { execArgv: ["--conditions=source"], detached: true, stdio: "inherit" });
  atEnd(() => {
    child.kill("SIGKILL");
  });
  const [port] = (await once(child, "message")) as [number];
  return { port };
}
