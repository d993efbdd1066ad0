/** A connector in a process of its own, which tests stop, freeze and kill; tells its parent each thing that happens to it. */
import { OrchestratorClient, type OrchestratorClientOptions } from "@ai-orchestrator/connector";

/** What the process says. */
export type ConnectorEvent =
  | { event: "connected"; url: string; absence?: string }
  | { event: "disconnected" | "stopped"; code: string }
  | { event: "sentAway" };

const options = JSON.parse(process.argv[2] ?? "") as OrchestratorClientOptions;
const client = new OrchestratorClient(options);
const tell = (event: ConnectorEvent): void => {
  process.send?.(event);
};
client.on("connected", ({ url, absence }) =>
  tell({ event: "connected", url, ...(absence === undefined ? {} : { absence: absence.cause }) }),
);
client.on("disconnected", ({ code }) => tell({ event: "disconnected", code }));
client.on("stopped", ({ code }) => tell({ event: "stopped", code }));
client.on("sentAway", () => tell({ event: "sentAway" }));
process.once("SIGTERM", () => {
  client.stop().then(
    () => process.disconnect(),
    () => process.exit(1),
  );
});
client.start();
