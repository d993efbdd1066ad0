/** The server that is measured: Express, with the connector in it or not, as it is told. Settings come by the environment. */
import { initializeOrchestrator, type OrchestratorClient } from "@ai-orchestrator/connector";
import express from "express";
import type { Ask, Mode } from "./local-use.ts";

const app = express();
const page = {
  title: "local use",
  rows: Array.from({ length: 20 }, (_, row) => ({ row, text: "of a page" })),
};
app.get("/", (_request, response) => {
  response.json(page);
});

let client: OrchestratorClient | null = null;
const server = app.listen(0, "127.0.0.1", () => process.send?.({ port: port() }));

process.on("message", (ask: Ask) => {
  answer(ask).catch((error: unknown) => {
    throw error;
  });
});

async function answer(ask: Ask): Promise<void> {
  if (ask.ask === "mode") await become(ask.mode);
  const { user, system } = process.cpuUsage();
  process.send?.({ cpu: user + system });
}

/** Ends the connector that runs, and begins another where the mode has one. */
async function become(mode: Mode): Promise<void> {
  await client?.stop();
  client = null;
  if (mode.startsWith("without")) return;
  const options = { port: port(), log: () => undefined };
  client = await initializeOrchestrator(mode === "standalone" ? { ...options, mode } : options);
  if (client !== null) await new Promise((resolve) => client?.once("connected", resolve));
}

function port(): number {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  return address.port;
}
