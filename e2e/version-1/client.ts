/**
 * A client of version 1 as others have written them: a program of its own that knows the protocol's description and nothing of
 * this project. Behind it stands a small web app with a page, files, and a chat that answers in pieces.
 *
 * Run with ORCHESTRATOR_URL (ws:// or http://), ORCHESTRATOR_TOKEN and ORCHESTRATOR_CLIENT_ID; TOKEN_IN=message keeps both out of
 * the URL. RECONNECT_MS (5000), PING_MS (30000). Prints a line of JSON for whatever happens to it, and takes commands on standard
 * input, a word to a line: `busy`, `idle`, `stop`.
 */
import * as http from "node:http";
import { createInterface } from "node:readline";
import type { AddressInfo } from "node:net";
import { WebSocket } from "ws";

type Json = Record<string, unknown>;

/** A line of its output. */
export type Said = Json & { event: string };

type Fields = [string, string][];

const setting = (name: string, fallback = ""): string => process.env[name] ?? fallback;
const hub = new URL(setting("ORCHESTRATOR_URL").replace(/^http/, "ws"));
const token = setting("ORCHESTRATOR_TOKEN");
const clientId = setting("ORCHESTRATOR_CLIENT_ID");
const reconnectMs = Number(setting("RECONNECT_MS", "5000"));
const pingMs = Number(setting("PING_MS", "30000"));
const PONG_TIMEOUT_MS = 10_000;

const say = (event: string, more: Json = {}): void => {
  const said: Said = { event, ...more };
  process.stdout.write(`${JSON.stringify(said)}\n`);
};

// The web app, as it runs without any hub.

const PIXEL = Buffer.from(
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==",
  "base64",
);

const page = (base: string): string => `<!doctype html>
<html><head><meta charset="utf-8"><title>Shop · chat</title></head>
<body><h1>Chat</h1><img id="pixel" src="${base}/pixel.png" alt="">
<p id="state">not connected</p><ol id="frames"></ol>
<script src="${base}/app.js" data-base="${base}"></script></body></html>`;

/** A fork's page: asks the hub where its WebSocket is. */
const SCRIPT = `
const base = document.currentScript.dataset.base;
const state = document.getElementById("state");
const shown = (text) => {
  const item = document.createElement("li");
  item.textContent = text;
  document.getElementById("frames").append(item);
};
async function connect() {
  const id = base.split("/")[2] || "local";
  const { ws_base } = await (await fetch("/api/clients/" + id + "/ws-info")).json();
  const socket = new WebSocket(ws_base + "/ws?token=of-the-page");
  socket.onopen = () => {
    state.textContent = "connected";
    socket.send(JSON.stringify({ type: "claude-command", command: "hello", options: { projectPath: "/srv" } }));
  };
  socket.onmessage = ({ data }) => shown(data);
  socket.onclose = () => { state.textContent = "closed"; setTimeout(connect, 300); };
  const shell = new WebSocket(ws_base + "/shell?token=of-the-page");
  shell.onclose = ({ code, reason }) => { document.title = code + " " + reason; };
}
connect();
fetch(base + "/api/echo", { method: "POST", headers: { "content-type": "application/json" }, body: '{"a":"ü"}' })
  .then((answer) => answer.text()).then((text) => shown("echo " + text));
`;

const app = http.createServer((request, response) => {
  const { pathname } = new URL(request.url ?? "/", "http://app");
  if (pathname === "/pixel.png") return response.setHeader("content-type", "image/png").end(PIXEL);
  if (pathname === "/app.js") return response.setHeader("content-type", "text/javascript").end(SCRIPT);
  if (pathname === "/events")
    return response.setHeader("content-type", "text/event-stream").write("data: 1\n\n");
  if (pathname === "/headers") return response.end(JSON.stringify(request.rawHeaders));
  if (pathname === "/missing") return response.writeHead(404, { "set-cookie": ["a=1", "b=2"] }).end("none");
  if (pathname === "/api/echo") return request.pipe(response);
  return response.setHeader("content-type", "text/html").end(page("{{base}}"));
});

// The client.

let socket: WebSocket | undefined;
let stays = false;
let forced: string | undefined;
/** Requests of pages that are open: as long as there is one, somebody is there. */
const open = new Set<string>();
let working = 0;

const status = (): string => forced ?? (working > 0 ? "busy" : open.size > 0 ? "active" : "idle");
let reported = "";

function send(message: Json): void {
  if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message));
}

function report(always = false): void {
  if (!always && status() === reported) return;
  reported = status();
  send({ type: "status_update", client_id: clientId, status: reported });
}

function connect(port: number): void {
  const address = new URL("/ws/connect", hub);
  if (setting("TOKEN_IN") !== "message") {
    address.searchParams.set("token", token);
    address.searchParams.set("client_id", clientId);
  }
  const { host } = address;
  // Names below localhost are this machine; not every resolver knows.
  if (address.hostname.endsWith(".localhost")) address.hostname = "127.0.0.1";
  const current = new WebSocket(address, { headers: { host }, perMessageDeflate: false });
  socket = current;
  let pinging: NodeJS.Timeout | undefined;
  let pong: NodeJS.Timeout | undefined;
  current.on("open", () => {
    reported = status();
    const metadata = {
      hostname: "fork-box",
      project: "/srv/shop",
      status: reported,
      version: "1.8.0",
      platform: process.platform,
      callback_url: `http://127.0.0.1:${port}`,
    };
    send({ type: "register", client_id: clientId, user_token: token, metadata });
  });
  current.on("message", (data: Buffer) => {
    const message = JSON.parse(data.toString()) as Json;
    if (message["type"] === "pong") clearTimeout(pong);
    if (message["type"] === "registered" && message["success"] === true) {
      pinging = setInterval(() => {
        send({ type: "ping", client_id: clientId });
        pong = setTimeout(() => current.terminate(), PONG_TIMEOUT_MS);
      }, pingMs);
    }
    receive(message, port);
  });
  current.on("error", (error) => say("failed", { message: error.message }));
  current.on("close", (code, reason) => {
    clearInterval(pinging);
    clearTimeout(pong);
    open.clear();
    working = 0;
    say("closed", { code, reason: reason.toString() });
    if (stays) process.exit(0);
    setTimeout(() => connect(port), reconnectMs);
  });
}

function receive(message: Json, port: number): void {
  switch (message["type"]) {
    case "registered":
      say("registered", message);
      stays ||= message["success"] !== true;
      return;
    case "pong":
      return say("pong");
    case "http_proxy_request":
      return proxy(message, port);
    case "user_request":
      return user(message);
    case "command":
      say("command", { command: message["command"] });
      if (message["command"] === "refresh_status") report(true);
      if (message["command"] === "disconnect") {
        stays = true;
        socket?.close(1000);
      }
      return;
    case "error":
      return say("told", { message: message["message"] });
    default:
      return say("unknown", message);
  }
}

/** Asks its own web app, and sends the answer when it is whole. */
function proxy(message: Json, port: number): void {
  const fields = message["headers"] as Fields;
  const headers: Record<string, string[]> = {};
  for (const [name, value] of fields) (headers[name] ??= []).push(value);
  const query = typeof message["query"] === "string" && message["query"] !== "" ? `?${message["query"]}` : "";
  const path = `${String(message["path"])}${query}`;
  const request = http.request({
    port,
    host: "127.0.0.1",
    method: String(message["method"]),
    path,
    headers,
    agent: false,
  });
  request.on("response", (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const raw = response.rawHeaders;
      const answered: Fields = [];
      for (let at = 0; at < raw.length; at += 2) answered.push([raw[at] ?? "", raw[at + 1] ?? ""]);
      const bytes = Buffer.concat(chunks);
      const type = response.headers["content-type"] ?? "";
      const isText = type === "" || /^(?:text\/|application\/(?:json|javascript))/.test(type);
      const base = (message["proxy_base"] as string | undefined) ?? "";
      const body = isText ? bytes.toString("utf8").replaceAll("{{base}}", base) : bytes.toString("base64");
      if (!isText) answered.push(["x-orch-encoding", "base64"]);
      const { request_id } = message;
      send({ type: "http_proxy_response", request_id, status: response.statusCode, headers: answered, body });
    });
  });
  request.on("error", (error) =>
    send({ type: "error", request_id: message["request_id"], message: error.message }),
  );
  request.end(message["body"] as string | undefined);
}

/** A frame of a page; a command is answered in three pieces and keeps Claude busy meanwhile. */
function user({ request_id, action, payload }: Json): void {
  say("user_request", { action, payload });
  const id = String(request_id);
  if (action === "close") {
    open.delete(id);
    send({ type: "response_complete", request_id, data: null });
    return report();
  }
  open.add(id);
  if (action !== "claude-command") {
    send({ type: "response_chunk", request_id, data: { type: `${String(action)}-answer` } });
    return report();
  }
  working++;
  report();
  const pieces = [
    { type: "claude-response", data: "Hel" },
    '{"type":"claude-response","data":"lo"}',
    { type: "claude-complete" },
  ];
  pieces.forEach((data, index) => {
    setTimeout(
      () => {
        send({ type: "response_chunk", request_id, data });
        if (index === pieces.length - 1) working = Math.max(0, working - 1);
        report();
      },
      150 * (index + 1),
    );
  });
}

app.listen(0, "127.0.0.1", () => {
  const { port } = app.address() as AddressInfo;
  connect(port);
});
createInterface({ input: process.stdin }).on("line", (word) => {
  if (word === "stop") {
    stays = true;
    if (socket?.readyState === WebSocket.OPEN) socket.close(1000);
    else process.exit(0);
    return;
  }
  forced = word;
  report();
});
