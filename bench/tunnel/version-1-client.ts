/**
 * What the first generation did: a client of version 1 that asks a program for each request, waits for the whole answer and sends it as
 * JSON, bytes in base64. In a process of its own; its connections to the program are kept, as ours are.
 *
 * Settings come by the environment: ORCHESTRATOR_URL, ORCHESTRATOR_TOKEN, TARGET_PORT. Tells its parent when it is registered.
 */
import * as http from "node:http";
import { WebSocket } from "ws";

interface ProxyRequest {
  type: string;
  request_id: string;
  method: string;
  path: string;
  headers: [string, string][];
  body?: string;
  query?: string;
}

const hub = new URL(process.env["ORCHESTRATOR_URL"] ?? "");
const token = process.env["ORCHESTRATOR_TOKEN"] ?? "";
const port = Number(process.env["TARGET_PORT"]);
const clientId = "version-1";
const agent = new http.Agent({ keepAlive: true });

const address = `ws://127.0.0.1:${hub.port}/ws/connect?token=${token}&client_id=${clientId}`;
const socket = new WebSocket(address, { headers: { host: hub.host }, perMessageDeflate: false });
socket.on("open", () => {
  const metadata = {
    hostname: "bench",
    project: "/bench",
    status: "idle",
    version: "1.8.0",
    platform: process.platform,
  };
  socket.send(JSON.stringify({ type: "register", client_id: clientId, user_token: token, metadata }));
});
socket.on("message", (data: Buffer) => {
  const message = JSON.parse(data.toString()) as ProxyRequest;
  if (message.type === "registered") process.send?.("registered");
  if (message.type === "http_proxy_request") forward(message);
});
socket.on("close", () => process.exit(1));
process.once("disconnect", () => process.exit(0));
setInterval(() => {
  socket.send(JSON.stringify({ type: "ping", client_id: clientId }));
}, 30_000);

function forward({ request_id, method, path, query, headers, body }: ProxyRequest): void {
  const fields: Record<string, string> = {};
  for (const [name, value] of headers) fields[name] = value;
  const target = query === undefined || query === "" ? path : `${path}?${query}`;
  const request = http.request({ host: "127.0.0.1", port, method, path: target, headers: fields, agent });
  request.on("response", (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      answer(request_id, response, Buffer.concat(chunks));
    });
  });
  request.on("error", ({ message }) => {
    socket.send(JSON.stringify({ type: "error", request_id, message }));
  });
  request.end(body);
}

function answer(id: string, response: http.IncomingMessage, bytes: Buffer): void {
  const raw = response.rawHeaders;
  const headers = raw.flatMap((name, at): [string, string][] =>
    at % 2 === 0 ? [[name, raw[at + 1] ?? ""]] : [],
  );
  const isText = /^(?:text\/|application\/(?:json|javascript))/.test(
    response.headers["content-type"] ?? "text/",
  );
  if (!isText) headers.push(["x-orch-encoding", "base64"]);
  const body = bytes.toString(isText ? "utf8" : "base64");
  socket.send(
    JSON.stringify({
      type: "http_proxy_response",
      request_id: id,
      status: response.statusCode,
      headers,
      body,
    }),
  );
}
