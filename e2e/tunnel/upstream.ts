/** A plain web application to proxy: answers what the path asks for, and remembers what it saw. */
import { createHash } from "node:crypto";
import { EventEmitter, once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { WebSocketServer, type WebSocket } from "ws";

export interface Upstream {
  target: string;
  port: number;
  /** Emits `closed:<path>` when a request's connection closed before its answer was complete, `event` to send one on `/sse`. */
  events: EventEmitter;
  /** Close code and reason of each WebSocket that ended, in order. */
  closes: { code: number; reason: string }[];
  /** Every request's method, path and headers. */
  seen: { method: string; url: string; headers: [string, string][] }[];
  sockets: Set<WebSocket>;
  stop(): Promise<void>;
}

type Handler = (
  request: http.IncomingMessage,
  response: http.ServerResponse,
  url: URL,
) => void | Promise<void>;

const BLOCK = createRandomBlock();

/** `size` bytes that do not compress, the same for everyone who asks. */
export function randomBytes(size: number): Buffer {
  const bytes = Buffer.allocUnsafe(size);
  for (let offset = 0; offset < size; offset += BLOCK.length) BLOCK.copy(bytes, offset);
  return bytes;
}

export function sha256(data: Buffer): string {
  return createHash("sha256").update(data).digest("hex");
}

export async function startUpstream(port = 0): Promise<Upstream> {
  const events = new EventEmitter();
  events.setMaxListeners(0);
  const seen: Upstream["seen"] = [];
  const closes: Upstream["closes"] = [];
  const server = http.createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://upstream");
    seen.push({ method: request.method ?? "", url: request.url ?? "", headers: pairs(request.rawHeaders) });
    response.on("close", () => {
      if (!response.writableFinished) events.emit(`closed:${url.pathname}`);
    });
    const [, name = ""] = url.pathname.split("/");
    const handler = createHandlers(events)[name] ?? notFound;
    Promise.resolve(handler(request, response, url)).catch((error: unknown) =>
      response.destroy(error as Error),
    );
  });
  // A connection that is closed while a request is on its way costs that request, and a busy machine takes its time.
  server.keepAliveTimeout = 60_000;
  const sockets = acceptWebSockets(server, closes, seen);
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  const actual = (server.address() as AddressInfo).port;
  const stop = async () => {
    for (const socket of sockets) socket.terminate();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  };
  return { target: `http://127.0.0.1:${actual}`, port: actual, events, closes, seen, sockets, stop };
}

function createHandlers(events: EventEmitter): Record<string, Handler> {
  return {
    status: serveStatus,
    echo: serveEcho,
    bytes: serveBytes,
    cookies: serveCookies,
    gzip: (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain", "content-encoding": "gzip" });
      response.end(gzipSync("already compressed"));
    },
    text: (_request, response) => {
      response.writeHead(200, { "content-type": "text/plain", etag: '"one"' });
      response.end("words ".repeat(20_000));
    },
    sse: (_request, response) => {
      response.writeHead(200, { "content-type": "text/event-stream", "cache-control": "no-cache" });
      response.write(": begin\n\n");
      const send = (text: string) => response.write(`data: ${text}\n\n`);
      events.on("event", send);
      response.on("close", () => events.off("event", send));
    },
    upload: serveUpload(events),
    slowread: serveSlowRead(events),
    header: (_request, response, url) => {
      response.writeHead(200, { "x-large": "v".repeat(Number(url.searchParams.get("size"))) });
      response.end("ok");
    },
    utf8: (_request, response) => {
      response.setHeader(
        "content-disposition",
        Buffer.from('attachment; filename="año ✓.txt"').toString("latin1"),
      );
      response.end("ok");
    },
    hang: () => undefined,
    die: (_request, response) => {
      response.writeHead(200, { "content-type": "application/octet-stream", "content-length": "1000000" });
      response.write(randomBytes(200_000));
      setTimeout(() => response.destroy(), 50);
    },
    endless: serveEndless,
    page: servePage,
  };
}

const notFound: Handler = (_request, response) => {
  response.writeHead(404).end("not found");
};

const servePage: Handler = (_request, response, url) => {
  response.writeHead(200, { "content-type": "text/html; charset=utf-8" });
  response.end(`<!doctype html><title>${url.searchParams.get("title") ?? "page"}</title><h1>a page</h1>`);
};

const serveStatus: Handler = async (request, response, url) => {
  request.resume();
  await once(request, "end");
  const status = Number(url.pathname.split("/")[2]);
  response.statusCode = status;
  response.setHeader("x-status", String(status));
  if (status >= 300 && status < 400 && status !== 304) response.setHeader("location", "/echo?moved=1");
  if (status === 206) response.setHeader("content-range", "bytes 0-3/10");
  if ([204, 304].includes(status)) response.end();
  else response.end(status === 206 ? "0123" : `status ${status}`);
};

const serveEcho: Handler = async (request, response) => {
  const body = await collect(request);
  response.setHeader("content-type", "application/json");
  const { method, url, rawHeaders } = request;
  response.end(
    JSON.stringify({ method, url, headers: pairs(rawHeaders), length: body.length, sha256: sha256(body) }),
  );
};

const serveBytes: Handler = (request, response, url) => {
  const body = randomBytes(Number(url.pathname.split("/")[2]));
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  response.setHeader("accept-ranges", "bytes");
  response.setHeader("content-type", "application/octet-stream");
  if (!range) {
    if (url.searchParams.has("chunked")) response.flushHeaders();
    else response.setHeader("content-length", String(body.length));
    response.end(body);
    return;
  }
  const [start, end] = [Number(range[1]), Number(range[2])];
  response.writeHead(206, { "content-range": `bytes ${start}-${end}/${body.length}` });
  response.end(body.subarray(start, end + 1));
};

const serveCookies: Handler = (_request, response) => {
  response.setHeader("set-cookie", [
    "a=1; Path=/",
    "b=2; Path=/; HttpOnly; Domain=hub.localhost",
    "__Host-orchestrator-session=stolen; Path=/; Secure",
    "__host-Orchestrator-viewer=stolen; Path=/; Secure",
  ]);
  response.end("cookies");
};

function serveUpload(events: EventEmitter): Handler {
  return async (request, response) => {
    const hash = createHash("sha256");
    let length = 0;
    for await (const chunk of request as AsyncIterable<Buffer>) {
      hash.update(chunk);
      length += chunk.length;
      events.emit("uploaded", length);
    }
    response.end(JSON.stringify({ length, sha256: hash.digest("hex") }));
  };
}

/** Reads nothing of the body until told to. */
function serveSlowRead(events: EventEmitter): Handler {
  return async (request, response) => {
    events.emit("waiting");
    await once(events, "read");
    const body = await collect(request);
    response.end(String(body.length));
  };
}

const serveEndless: Handler = (_request, response) => {
  response.writeHead(200, { "content-type": "application/octet-stream" });
  const block = randomBytes(65_536);
  const write = () => {
    while (!response.destroyed && response.write(block));
  };
  response.on("drain", write);
  write();
};

function acceptWebSockets(
  server: http.Server,
  closes: Upstream["closes"],
  seen: Upstream["seen"],
): Set<WebSocket> {
  const sockets = new Set<WebSocket>();
  const webSockets = new WebSocketServer({
    noServer: true,
    maxPayload: 64 * 1024 * 1024,
    handleProtocols: (offered) => (offered.has("chat.v2") ? "chat.v2" : false),
  });
  server.on("upgrade", (request, socket, head) => {
    seen.push({ method: "UPGRADE", url: request.url ?? "", headers: pairs(request.rawHeaders) });
    if (request.url?.startsWith("/refuse")) {
      socket.end(
        "HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\nx-why: refused\r\ncontent-length: 2\r\n\r\nno",
      );
      return;
    }
    webSockets.handleUpgrade(request, socket, head, (webSocket) => {
      sockets.add(webSocket);
      webSocket.on("close", (code, reason) => {
        sockets.delete(webSocket);
        closes.push({ code, reason: reason.toString() });
      });
      webSocket.on("message", (data: Buffer, isBinary) => {
        const text = isBinary ? "" : data.toString();
        const close = /^close:(\d+):(.*)$/.exec(text);
        if (close) webSocket.close(Number(close[1]), close[2]);
        else if (text === "vanish") webSocket.terminate();
        else webSocket.send(data, { binary: isBinary });
      });
    });
  });
  return sockets;
}

async function collect(request: http.IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function pairs(rawHeaders: string[]): [string, string][] {
  const found: [string, string][] = [];
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    found.push([(rawHeaders[index] ?? "").toLowerCase(), rawHeaders[index + 1] ?? ""]);
  }
  return found;
}

function createRandomBlock(): Buffer {
  const block = Buffer.allocUnsafe(1024 * 1024 - 7);
  let state = 0x9e3779b9;
  for (let index = 0; index < block.length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    block[index] = state >>> 24;
  }
  return block;
}
