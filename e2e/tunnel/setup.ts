/** Hub, upstream, connector and a signed-in viewer, joined; what the tests of the tunnel begin with. */
import { once } from "node:events";
import { OrchestratorClient, type OrchestratorClientOptions } from "@ai-orchestrator/connector";
import { startHub, type TestHub } from "../hub.ts";
import { startUpstream, type Upstream } from "./upstream.ts";
import { Viewer } from "./viewer.ts";

export interface Scene {
  hub: TestHub;
  upstream: Upstream;
  client: OrchestratorClient;
  viewer: Viewer;
  /** Origin of the instance. */
  origin: string;
  stop(): Promise<void>;
}

export async function startScene(options: Partial<OrchestratorClientOptions> = {}): Promise<Scene> {
  const hub = await startHub();
  const upstream = await startUpstream();
  const { client, origin } = await connect(hub, { target: upstream.target, ...options });
  const viewer = new Viewer();
  await viewer.navigate(await hub.signInLink());
  await viewer.navigate(`${origin}/status/200`);
  const stop = async () => {
    await client.stop();
    await upstream.stop();
    await hub.stop();
  };
  return { hub, upstream, client, viewer, origin, stop };
}

/** Connects one more instance. */
export async function connect(
  hub: TestHub,
  options: Partial<OrchestratorClientOptions> & { target: string },
): Promise<{ client: OrchestratorClient; origin: string }> {
  const client = new OrchestratorClient({
    url: hub.origin,
    token: await hub.createToken(),
    clientId: "contract-instance",
    metadata: { hostname: "test-host", project: "/home/dev/project", platform: "linux" },
    reconnectIntervalMs: 2000,
    ...options,
  });
  const connected = once(client, "connected") as Promise<[{ url: string }]>;
  client.start();
  const [{ url }] = await connected;
  return { client, origin: url };
}
