import { createRequire } from "node:module";
import path from "node:path";
import { freePort } from "../../../e2e/port.ts";
import { createLocalUser, createSignInLink, createToken } from "../../../packages/hub/local/account.ts";
import { applyMigrations } from "../../../packages/hub/local/migrations.ts";
import { hubPackage } from "../../../packages/hub/local/paths.ts";
import { startChild, untilListening } from "../children.ts";
import { temporaryFolder } from "../folder.ts";
import { processTree } from "../processes.ts";
import { writeConfig } from "../workerd/config.ts";
import { remoteDatabase } from "../workerd/remote-database.ts";
import { connect, signIn, type PathHub } from "./hub-instance.ts";
import type { Inspectors, Path, Target } from "./path.ts";

/** The built hub on workerd alone, without Miniflare: what the platform has beside objects is stood in for. */
export const workerd: Path = {
  name: "workerd",
  title: "tunnel, plain workerd",
  start: async (target, inspectors) => {
    const { hub, pid, stop } = await startHub(inspectors);
    const { origin, connector } = await connect(hub, withInspector(target, inspectors));
    return {
      port: hub.port,
      prefix: "",
      headers: await signIn(hub, `${origin}/`),
      origin,
      processes: () => [...processTree("workerd", pid), { role: "connector", pid: connector.pid }],
      stop: async () => {
        await connector.stop();
        await stop();
      },
    };
  },
};

function withInspector(target: Target, inspectors?: Inspectors): Target {
  if (inspectors === undefined) return target;
  const NODE_OPTIONS = `--inspect=127.0.0.1:${inspectors.connector}`;
  return { ...target, environment: { ...target.environment, NODE_OPTIONS } };
}

async function startHub(
  inspectors?: Inspectors,
): Promise<{ hub: PathHub; pid: number; stop: () => Promise<void> }> {
  const ports = { hub: await freePort(), database: await freePort() };
  const config = writeConfig(temporaryFolder("workerd"), ports);
  const flags = inspectors === undefined ? [] : [`--inspector-addr=127.0.0.1:${inspectors.workerd}`];
  // The bindings' insides are workerd's own, and experimental to everybody else.
  const child = startChild(binary(), ["serve", "--experimental", ...flags, config]);
  await untilListening(ports.hub, child);
  const db = remoteDatabase(ports.database);
  await applyMigrations(db, path.join(hubPackage, "migrations"));
  await createLocalUser(db);
  const origin = `http://hub.localhost:${ports.hub}`;
  const hub: PathHub = {
    origin,
    port: ports.hub,
    signInLink: () =>
      createSignInLink({ origin, db, isSetupOpen: () => Promise.resolve(false), close: child.stop }),
    createToken: () => createToken(db, "bench"),
  };
  return { hub, pid: child.pid, stop: child.stop };
}

/** workerd itself, which its package's script would start as a child. */
function binary(): string {
  const require = createRequire(import.meta.url);
  const { default: found } = require("workerd") as { default: string };
  return found;
}
