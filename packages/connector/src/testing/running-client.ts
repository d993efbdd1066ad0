/** A client of a fake hub that notes what it says. For tests. */
import type { Register } from "@ai-orchestrator/protocol";
import type { OrchestratorClientOptions } from "../client-contract.ts";
import { OrchestratorClient } from "../client.ts";
import { type FakeHub, startFakeHub } from "./fake-hub.ts";

export interface RunningClient {
  hub: FakeHub;
  client: OrchestratorClient;
  /** Names of its events, without `log` and `status`. */
  events: string[];
  registers: () => Register[];
  /** Texts of its log. */
  log: () => string[];
  stop: () => Promise<void>;
}

const NAMES = ["connecting", "connected", "disconnected", "sentAway", "stopped", "warning"] as const;
export const TOKEN = "orch_canary";

/** Starts both; `prepare` may change the hub before it is dialled. */
export async function startClient(
  options: Partial<OrchestratorClientOptions> = {},
  prepare: (hub: FakeHub) => void = () => undefined,
): Promise<RunningClient> {
  const hub = await startFakeHub();
  prepare(hub);
  const client = new OrchestratorClient({
    url: hub.url,
    token: TOKEN,
    clientId: "c",
    target: "http://127.0.0.1:9",
    metadata: { hostname: "h", project: "p", platform: "linux" },
    ...options,
  });
  const events: string[] = [];
  for (const name of NAMES) client.on(name, () => events.push(name));
  client.start();
  return {
    hub,
    client,
    events,
    registers: () => hub.received.filter((message) => message.type === "register"),
    log: () => client.log.map(({ text }) => text.replaceAll(/:\d+/g, ":1")),
    stop: async () => {
      await client.stop();
      await hub.stop();
    },
  };
}
