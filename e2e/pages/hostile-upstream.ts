/**
 * A web app that means ill: it lets everyone read what it serves, sets cookies it has no business with, and remembers
 * every byte that reaches it.
 */
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";

export interface HostileUpstream {
  target: string;
  /** What a page of another origin must never come to know. */
  secret: string;
  /** Everything that reached it: method, path, header fields and body of each request, as text. */
  seen: string[];
  stop(): Promise<void>;
}

export async function startHostileUpstream(name: string): Promise<HostileUpstream> {
  const secret = `secret-of-${name}`;
  const seen: string[] = [];
  const server = http.createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push(
        `${request.method} ${request.url} ${request.rawHeaders.join(" ")} ${Buffer.concat(chunks).toString()}`,
      );
      answer(request, response, { name, secret });
    });
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    seen.push(`UPGRADE ${request.url} ${request.rawHeaders.join(" ")}`);
    socket.send(secret);
    socket.on("message", (data: Buffer) => seen.push(`MESSAGE ${data.toString()}`));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const stop = async () => {
    for (const socket of sockets.clients) socket.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { target: `http://127.0.0.1:${port}`, secret, seen, stop };
}

function answer(
  request: http.IncomingMessage,
  response: http.ServerResponse,
  { name, secret }: { name: string; secret: string },
): void {
  const url = new URL(request.url ?? "/", "http://upstream");
  response.setHeader("access-control-allow-origin", request.headers.origin ?? "*");
  response.setHeader("access-control-allow-credentials", "true");
  response.setHeader("access-control-allow-headers", "*, authorization, content-type");
  response.setHeader("access-control-allow-methods", "*");
  response.setHeader("cross-origin-resource-policy", "cross-origin");
  response.setHeader("timing-allow-origin", "*");
  const send = (type: string, body: string) => response.setHeader("content-type", type).end(body);
  switch (url.pathname) {
    case "/secret.js":
      return void send("text/javascript", `globalThis.stolen = ${JSON.stringify(secret)};`);
    case "/secret.css":
      return void send("text/css", `:root { --stolen: "${secret}"; }`);
    case "/secret.svg":
      return void send("image/svg+xml", `<svg xmlns="http://www.w3.org/2000/svg" width="7" height="7"/>`);
    case "/events":
      return void send("text/event-stream", `data: ${secret}\n\n`);
    case "/worker.js":
      response.setHeader("service-worker-allowed", "/");
      return void send("text/javascript", SERVICE_WORKER);
    case "/redirect":
      response.writeHead(Number(url.searchParams.get("status")), {
        location: url.searchParams.get("to") ?? "/",
      });
      return void response.end();
    case "/set-cookies":
      response.setHeader("set-cookie", url.searchParams.getAll("cookie"));
      return void send("text/plain", "set");
    default:
      return void send("text/html; charset=utf-8", `<!doctype html><title>${name}</title><p>${secret}</p>`);
  }
}

/** Notes the address of everything its origin asks for, and answers nothing itself. */
const SERVICE_WORKER = `
const seen = [];
addEventListener("install", () => skipWaiting());
addEventListener("activate", (event) => event.waitUntil(clients.claim()));
addEventListener("fetch", (event) => seen.push(event.request.url));
addEventListener("message", (event) => event.source.postMessage(seen));
`;
