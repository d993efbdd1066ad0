/** The programs behind the paths. */
import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { startRealClaudecodeui } from "../../e2e/claudecodeui/harness.ts";
import { freePort } from "../../e2e/port.ts";
import { atEnd } from "./cleanup.ts";
import { startNginx } from "./nginx.ts";
import type { Upstream } from "./loads/load.ts";
import type { Target } from "./paths/path.ts";

const starts: Record<Upstream, () => Promise<Target>> = {
  small: startSmall,
  streams: startStreams,
  claudecodeui: startClaudecodeui,
};

/** Starts one; it is ended when the benchmark ends. */
export function startUpstream(name: Upstream): Promise<Target> {
  return starts[name]();
}

/** Answers `/1k` with 1 KiB, far faster than any path asks. */
async function startSmall(): Promise<Target> {
  const port = await freePort();
  const server = `server { listen 127.0.0.1:${port}; location / { return 200 "${"x".repeat(1024)}"; } }`;
  await startNginx(port, server);
  return { port };
}

/** The program of `upstream-process.ts`: bodies, streams, WebSockets. */
async function startStreams(): Promise<Target> {
  const script = path.join(import.meta.dirname, "upstream-process.ts");
  const child = fork(script, { execArgv: ["--conditions=source"], detached: true, stdio: "inherit" });
  atEnd(() => {
    child.kill("SIGKILL");
  });
  const [port] = (await once(child, "message")) as [number];
  return { port };
}

/** A real claudecodeui, installed where it is missing. */
async function startClaudecodeui(): Promise<Target> {
  const real = await startRealClaudecodeui({ port: await freePort() });
  atEnd(() => real.stop());
  return { port: real.port, environment: { ...real.environment, PWD: real.project } };
}
