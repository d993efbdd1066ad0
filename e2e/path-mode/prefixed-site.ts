/**
 * What path mode's shim is tested against: one host with two instances below their prefixes, served as the hub would but for
 * anything it rewrites, so that only the shim keeps their pages below them. Remembers every request.
 */
import { once } from "node:events";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import { WebSocketServer } from "ws";
import { bundleShim } from "../../packages/hub/local/shim.ts";

export interface PrefixedSite {
  origin: string;
  /** `METHOD /path` as each instance sees it, by prefix. */
  seen: Map<string, string[]>;
  /** What went to the hub's own paths. */
  escaped: string[];
  stop(): Promise<void>;
}

export const PREFIX = "/clients/one-aaaa/proxy";
export const OTHER_PREFIX = "/clients/two-bbbb/proxy";
/** A page without the shim. */
export const HUB_PAGE = "/hub";
const SHIM = "/.orchestrator/shim.js";

/** What instances serve besides pages, by path. */
const FILES: Record<string, [type: string, text: string]> = {
  "/worker.js": [
    "text/javascript",
    workerText("worker", `importScripts("/imported.js?from=worker", "relative.js");`),
  ],
  "/nested/worker.js": ["text/javascript", workerText("nested", `importScripts("relative.js");`)],
  "/module.js": ["text/javascript", `import "./relative.js?from=module";\n${workerText("module", "")}`],
  "/shared.js": [
    "text/javascript",
    `let count = 0; onconnect = ({ ports: [port] }) => { count++; fetch("/x?by=shared").then(() => port.postMessage(count)); };`,
  ],
  "/sw.js": [
    "text/javascript",
    `importScripts("/imported.js?from=sw");
     addEventListener("install", (event) => event.waitUntil((async () => {
       const cache = await caches.open("from-worker"); await cache.addAll(["/x?by=sw.addAll"]); await skipWaiting(); })()));
     addEventListener("activate", (event) => event.waitUntil(clients.claim()));
     addEventListener("message", async ({ data, source }) => {
       for (const name of await caches.keys()) if (name !== "from-worker") await caches.delete(name);
       await fetch("/x?by=sw.fetch");
       source.postMessage({ caches: await caches.keys(), windows: (await clients.matchAll({ includeUncontrolled: true })).length });
     });`,
  ],
  "/style.css": ["text/css", "body { color: green }"],
  "/events": ["text/event-stream", "data: hello\n\n"],
};

/** Says what it sees and does when it is told to. */
function workerText(name: string, before: string): string {
  return `${before}
    addEventListener("message", async ({ data }) => {
      await fetch("/x?by=${name}.fetch");
      await fetch(new URL("x?by=${name}.location", location.href));
      await fetch(location.origin + "/x?by=${name}.whole");
      new WebSocket(location.origin.replace("http", "ws") + "/socket?by=${name}.WebSocket").onerror = () => undefined;
      await new Promise((resolve) => { const asked = new XMLHttpRequest(); asked.open("GET", "/x?by=${name}.XHR"); asked.onloadend = resolve; asked.send(); });
      const opened = indexedDB.open("from-${name}");
      await new Promise((resolve) => { opened.onsuccess = resolve; });
      await caches.open("from-${name}");
      postMessage({ data, path: location.pathname, name: opened.result.name });
    });`;
}

/** Starts it on a free port. */
export async function startPrefixedSite(): Promise<PrefixedSite> {
  const seen = new Map([PREFIX, OTHER_PREFIX].map((prefix): [string, string[]] => [prefix, []]));
  const escaped: string[] = [];
  const shim = bundleShim();
  /** The path an instance sees; undefined where the request is not for one. */
  const note = (request: http.IncomingMessage) => {
    const url = request.url ?? "";
    const found = [...seen].find(
      ([prefix]) => /^(?:[/?]|$)/.test(url.slice(prefix.length)) && url.startsWith(prefix),
    );
    if (found === undefined) {
      if (url !== "/favicon.ico" && url !== HUB_PAGE) escaped.push(`${request.method} ${url}`);
      return undefined;
    }
    const rest = url.slice(found[0].length);
    const own = rest.startsWith("/") ? rest : `/${rest}`;
    if (!own.startsWith("/.orchestrator/")) found[1].push(`${request.method} ${own}`);
    return own;
  };
  const server = http.createServer((request, response) => {
    const own = note(request);
    if (own === undefined)
      return void response.writeHead(404, { "content-type": "text/html" }).end("nothing");
    request.resume();
    const { pathname } = new URL(own, "http://instance");
    const prefix = request.url?.startsWith(PREFIX) === true ? PREFIX : OTHER_PREFIX;
    if (pathname === SHIM)
      return void response.writeHead(200, { "content-type": "text/javascript" }).end(shim);
    const [type, text] = FILES[pathname] ?? other(pathname, prefix);
    const prelude = pathname === "/sw.js" ? `importScripts("${prefix}${SHIM}");` : "";
    response.writeHead(200, { "content-type": type, "cache-control": "no-store" }).end(prelude + text);
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (socket, request) => {
    if (note(request) === undefined) socket.close();
    socket.send("hello");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://hub.localhost:${port}`,
    seen,
    escaped,
    stop: async () => {
      for (const socket of sockets.clients) socket.terminate();
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}

function other(pathname: string, prefix: string): [type: string, text: string] {
  return pathname.endsWith(".js") ? ["text/javascript", ""] : ["text/html", page(prefix)];
}

function page(prefix: string): string {
  return `<!doctype html><html><head><script src="${prefix}${SHIM}?v=1"></script><title>fixture</title></head><body></body></html>`;
}
