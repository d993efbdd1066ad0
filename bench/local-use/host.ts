/** The server that is measured: Express, with or without the connector in it. Settings come by the environment. */
import express from "express";

const app = express();
const page = {
  title: "local use",
  rows: Array.from({ length: 20 }, (_, row) => ({ row, text: "of a page" })),
};
app.get("/", (_request, response) => {
  response.json(page);
});

const server = app.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address !== null && typeof address === "object") process.send?.({ port: address.port });
});

// Asked for what it has used, in microseconds.
process.on("message", () => {
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu: user + system });
});

if (process.argv[2]?.startsWith("without") !== true) {
  const { initializeOrchestrator } = await import("@ai-orchestrator/connector");
  const { port } = await listening();
  const client = await initializeOrchestrator({ port, log: () => undefined });
  client?.on("connected", () => process.send?.({ connected: true }));
}

async function listening(): Promise<{ port: number }> {
  if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address;
}
