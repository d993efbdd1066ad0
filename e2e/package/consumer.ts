/** A program of somebody who has installed the connector. Checked against what is published, not against this repository. */
import {
  type ClaudeSession,
  createOrchestratorClientFromEnv,
  initializeOrchestrator,
  OrchestratorClient,
  type OrchestratorClientOptions,
  readSettings,
  type Settings,
} from "@ai-orchestrator/connector";
import "@ai-orchestrator/connector/preload";

const options: OrchestratorClientOptions = {
  url: "https://hub.example.com",
  token: "t",
  clientId: "c",
  target: "http://127.0.0.1:3001",
  metadata: { hostname: "h", project: "p", platform: "linux", upstream: { name: "n", version: "1" } },
  access: { users: ["ann"], organization: "acme" },
};
const client = new OrchestratorClient(options);
client.on("connected", ({ url, absence }) => {
  const cause: "asleep" | "frozen" | "network" | undefined = absence?.cause;
  console.log(url satisfies string, cause);
});
client.on("disconnected", ({ code, retryMs }) =>
  console.log(code satisfies string, retryMs satisfies number),
);
client.on("log", ({ at, level, text }) => console.log(at satisfies number, level satisfies string, text));
// @ts-expect-error -- there is no such event
client.on("nothing", () => undefined);

// @ts-expect-error -- an id is a string, and there is more to a session
export const wrong: ClaudeSession = { id: 1 };
export const settings: Settings = readSettings({ env: process.env }).settings;
export const made: Promise<OrchestratorClient | null>[] = [initializeOrchestrator({ port: 3001 })];
made.push(createOrchestratorClientFromEnv());
