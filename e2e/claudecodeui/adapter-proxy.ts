/** The smallest proxy that treats traffic as the connector does: an adapter in front of one target, without a hub. */
import { createServer, type IncomingMessage, request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { type Adapter, type HeaderList, type RequestParts, StatusTracker } from "@ai-orchestrator/connector";
import { WebSocket, WebSocketServer } from "ws";

export interface AdapterProxy {
  origin: string;
  tracker: StatusTracker;
  /** Every byte a browser has received, as text. */
  received(): string;
  stop(): Promise<void>;
}

/** Starts it on a free port. It stops what it opened, and leaves the adapter to its owner. */
export async function startAdapterProxy(adapter: Adapter, target: string): Promise<AdapterProxy> {
  const tracker = new StatusTracker(adapter);
  const seen: string[] = [];
  const sockets = new Set<WebSocket>();
  const server = createServer((incoming, outgoing) => {
    forward(adapter, target, incoming).then(
      ({ status, headers, body }) => {
        seen.push(JSON.stringify(headers), body);
        outgoing.writeHead(status, headers.flat()).end(body);
      },
      (error: unknown) => outgoing.writeHead(502).end(String(error)),
    );
  });
  const upgrades = new WebSocketServer({ noServer: true });
  server.on("upgrade", (incoming: IncomingMessage, socket: Duplex, head: Buffer) => {
    connect(adapter, target, incoming).then(
      (upstream) => {
        sockets.add(upstream.socket);
        upgrades.handleUpgrade(incoming, socket, head, (browser) => {
          sockets.add(browser);
          tracker.browsers.opened();
          join(browser, upstream, seen, () => tracker.browsers.closed());
        });
      },
      () => socket.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    tracker,
    received: () => seen.join("\n"),
    stop: () => {
      tracker.stop();
      for (const socket of sockets) socket.terminate();
      return new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    },
  };
}

async function forward(adapter: Adapter, target: string, incoming: IncomingMessage) {
  const chunks: Buffer[] = [];
  for await (const chunk of incoming) chunks.push(chunk as Buffer);
  const parts = await adapter.prepareRequest(partsOf(incoming, "http"));
  const { status, headers, body } = await call(target, parts, Buffer.concat(chunks));
  const { response, rewriteBody } = adapter.prepareResponse(parts, { status, headers });
  return { ...response, headers: unframed(response.headers), body: rewriteBody ? rewriteBody(body) : body };
}

function call(target: string, parts: RequestParts, sent: Buffer) {
  return new Promise<{ status: number; headers: HeaderList; body: string }>((resolve, reject) => {
    const options = { method: parts.method, headers: Object.fromEntries(unframed(parts.headers)) };
    const upstream = httpRequest(`${target}${parts.target}`, options, (answer) => {
      let body = "";
      answer.setEncoding("utf8").on("data", (text: string) => (body += text));
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 502, headers: pairs(answer.rawHeaders), body }),
      );
    });
    upstream.on("error", reject).end(sent);
  });
}

async function connect(adapter: Adapter, target: string, incoming: IncomingMessage) {
  const parts = await adapter.prepareRequest(partsOf(incoming, "websocket"));
  const authorization = parts.headers.find(([name]) => name.toLowerCase() === "authorization")?.[1];
  const socket = new WebSocket(`${target.replace("http", "ws")}${parts.target}`, {
    headers: authorization === undefined ? {} : { authorization },
  });
  await new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
  return { socket, observer: adapter.observeWebSocket?.(parts) };
}

function join(
  browser: WebSocket,
  { socket, observer }: Awaited<ReturnType<typeof connect>>,
  seen: string[],
  closed: () => void,
): void {
  browser.on("message", (data: Buffer) => {
    observer?.fromBrowser?.(data.toString());
    socket.send(data.toString());
  });
  socket.on("message", (data: Buffer) => {
    seen.push(data.toString());
    observer?.fromUpstream?.(data.toString());
    browser.send(data.toString());
  });
  socket.on("close", () => browser.close());
  browser.on("close", () => {
    observer?.closed?.();
    closed();
    socket.close();
  });
}

function partsOf(incoming: IncomingMessage, kind: RequestParts["kind"]): RequestParts {
  return {
    kind,
    method: incoming.method ?? "GET",
    target: incoming.url ?? "/",
    headers: pairs(incoming.rawHeaders),
  };
}

function pairs(raw: string[]): HeaderList {
  return Array.from({ length: raw.length / 2 }, (_, at) => [raw[2 * at] ?? "", raw[2 * at + 1] ?? ""]);
}

function unframed(headers: HeaderList): HeaderList {
  const dropped = new Set([
    "content-length",
    "transfer-encoding",
    "connection",
    "host",
    "etag",
    "keep-alive",
  ]);
  return headers.filter(([name]) => !dropped.has(name.toLowerCase()));
}
