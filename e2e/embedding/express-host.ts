/** An Express application as somebody might have it, with the connector in it. Settings come by the environment. */
import { initializeOrchestrator } from "@ai-orchestrator/connector";
import express from "express";

/** What it tells its parent. */
export type HostMessage = { port: number; tookMs: number } | HostEvent;
export interface HostEvent {
  name: "connected" | "log";
  detail: string;
}

const tell = (message: HostMessage) => {
  if (process.connected) process.send?.(message);
};

const app = express();
app.get("/", (_request, response) => {
  response.type("html").send("<!doctype html><title>Host</title><p>The host's own page.</p>");
});
app.get("/events", (request, response) => {
  response.type("text/event-stream").write(": begin\n\n");
  const timer = setInterval(() => response.write("data: now\n\n"), 20);
  request.on("close", () => clearInterval(timer));
});
app.post("/upload", (request, response, next) => {
  request.on("error", next);
  request.resume();
  request.on("end", () => response.json({ done: true }));
});

const server = app.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("no port");
  const { port } = address;
  const began = performance.now();
  initializeOrchestrator({ server, log: (detail) => tell({ name: "log", detail }) }).then(
    (client) => client?.on("connected", ({ url }) => tell({ name: "connected", detail: url })),
    () => process.exit(3),
  );
  tell({ port, tookMs: performance.now() - began });
});

// The parent's word to close, as a deployment would; nothing but this program's own server may keep it running.
process.on("message", () => {
  server.close();
  server.closeAllConnections();
  process.disconnect();
});
