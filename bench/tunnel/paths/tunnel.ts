import { startHub } from "../../../e2e/hub.ts";
import { childProcesses } from "../../../packages/hub/local/processes.ts";
import { atEnd } from "../cleanup.ts";
import { freePort } from "../../../e2e/port.ts";
import { processTree, type PathProcess } from "../processes.ts";
import { connect, signIn, type PathHub } from "./hub-instance.ts";
import type { Path } from "./path.ts";

/** Our tunnel as `npm start` runs it: the hub in Miniflare's care, and the built connector in a process of its own. */
export const tunnel: Path = {
  name: "tunnel",
  title: "tunnel",
  start: async (target) => {
    const hub = await startLocalHub();
    const { origin, connector } = await connect(hub, target);
    return {
      port: hub.port,
      prefix: "",
      headers: await signIn(hub, `${origin}/`),
      origin,
      processes: () => [...hub.processes(), { role: "connector", pid: connector.pid }],
      stop: async () => {
        await connector.stop();
        await hub.stop();
      },
    };
  },
};

export interface LocalHub extends PathHub {
  /** The runner and its workerd. */
  processes(): PathProcess[];
  stop: () => Promise<void>;
}

/** The hub that `npm start` runs. */
export async function startLocalHub(): Promise<LocalHub> {
  const hub = await startHub({ port: await freePort() });
  const stop = atEnd(() => hub.stop());
  const runner = childProcesses(process.pid).find(({ command }) => command.includes(hub.stateFolder));
  if (runner === undefined) throw new Error("the hub's process is not to be found");
  return {
    origin: hub.origin,
    port: hub.port,
    signInLink: () => hub.signInLink(),
    createToken: () => hub.createToken("bench"),
    processes: () => {
      const workerd = childProcesses(runner.pid).flatMap(({ pid }) => processTree("workerd", pid));
      return [{ role: "runner", pid: runner.pid }, ...workerd];
    },
    stop,
  };
}
