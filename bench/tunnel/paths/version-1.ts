import { fork } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { Viewer } from "../../../e2e/tunnel/viewer.ts";
import { atEnd } from "../cleanup.ts";
import type { Path, Target } from "./path.ts";
import { type LocalHub, startLocalHub } from "./tunnel.ts";

/** The first generation's protocol, JSON in text, which the hub still speaks: below the hub's own host, as its programs are. */
export const versionOne: Path = {
  name: "version-1",
  title: "version 1",
  start: async (target) => {
    const hub = await startLocalHub();
    const client = await startClient(hub, target);
    const viewer = new Viewer();
    await viewer.navigate(await hub.signInLink());
    const prefix = await allowPathMode(hub, viewer);
    const { host } = new URL(hub.origin);
    return {
      port: hub.port,
      prefix,
      headers: { host, cookie: viewer.cookieHeader(host) },
      origin: hub.origin,
      processes: () => [...hub.processes(), { role: "client", pid: client.pid }],
      stop: async () => {
        await client.stop();
        await hub.stop();
      },
    };
  },
};

async function startClient(
  hub: LocalHub,
  target: Target,
): Promise<{ pid: number; stop: () => Promise<void> }> {
  const child = fork(path.join(import.meta.dirname, "../version-1-client.ts"), {
    env: {
      ...process.env,
      ORCHESTRATOR_URL: hub.origin,
      ORCHESTRATOR_TOKEN: await hub.createToken(),
      TARGET_PORT: String(target.port),
    },
    execArgv: ["--conditions=source"],
    detached: true,
  });
  const stop = atEnd(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const gone = once(child, "exit");
    child.kill("SIGKILL");
    await gone;
  });
  const over = once(child, "exit").then(() =>
    Promise.reject(new Error("the version 1 client did not register")),
  );
  await Promise.race([once(child, "message"), over]);
  over.catch(() => undefined);
  return { pid: child.pid ?? 0, stop };
}

/** Does what its owner does in the dashboard, and returns the path below which the instance then is. */
async function allowPathMode(hub: LocalHub, viewer: Viewer): Promise<string> {
  const info = await viewer.fetch(`${hub.origin}/api/clients/version-1/ws-info`);
  const { ws_base } = JSON.parse(info.body.toString()) as { ws_base: string };
  const { pathname } = new URL(ws_base);
  const allowed = await viewer.fetch(`${hub.origin}${pathname.replace(/\/proxy$/, "/path")}`, {
    method: "POST",
    body: "path=allow",
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  if (allowed.status !== 303) throw new Error(`path mode could not be allowed: ${allowed.status}`);
  return pathname;
}
