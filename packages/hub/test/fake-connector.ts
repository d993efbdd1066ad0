/** A connector inside workerd: the real protocol on a real socket, with an application made of two functions behind it. */
import {
  COMMANDS_CAPABILITY,
  Connection,
  connectionErrorName,
  DEFAULT_PEER_LIMITS,
  encodeControl,
  LOG_CAPABILITY,
  MessageReceiver,
  MessageSender,
  parseHubMessage,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
  type AccessList,
  type HubMessage,
  type LogLine,
  type Register,
  type RequestHead,
  type Stream,
} from "@ai-orchestrator/protocol";
import { exports } from "cloudflare:workers";

const HUB = "http://hub.localhost:8787";

export interface FakeConnector {
  socket: WebSocket;
  connection: Connection;
  /** Every control message from the hub, in order. */
  received: HubMessage[];
  /** Binary messages from the hub, counted. */
  binaryMessages(): number;
  /** Resolves with the close code's name once the hub has closed. */
  closed: Promise<string>;
  sendStatus(status: Pick<Register, "status" | "sessions">): void;
}

export interface FakeApplication {
  http?(stream: Stream, head: RequestHead): void;
  /** Takes a WebSocket's stream in place of what is below. */
  webSocket?(stream: Stream): void;
  /** Called with each whole message of a WebSocket; default: sends it back. */
  message?: (text: string, reply: (text: string) => void) => void;
  /** Asked for its log; without this the connector does not say that it tells one. */
  log?: (answer: (lines: LogLine[]) => void, id: number) => void;
  /** Given a command with an id; without this the connector does not say that it answers them. */
  command?: (done: () => void, id: number) => void;
  /** Who may use it. */
  access?: AccessList;
  /** What it is. */
  upstream?: Register["metadata"]["upstream"];
}

/** The upgrade alone; its status is 101 where the hub lets it in. */
export function dial(
  token: string,
  clientId: string,
  headers: Record<string, string> = {},
): Promise<Response> {
  return exports.default.fetch(`${HUB}/ws/connect?client_id=${encodeURIComponent(clientId)}`, {
    headers: {
      upgrade: "websocket",
      "sec-websocket-protocol": SUBPROTOCOL,
      authorization: `Bearer ${token}`,
      host: "hub.localhost:8787",
      ...headers,
    },
  });
}

/** Dials, registers and serves; rejects when the hub refuses. */
export async function connectFake(
  token: string,
  clientId: string,
  application: FakeApplication = {},
): Promise<FakeConnector> {
  const response = await dial(token, clientId);
  const socket = response.webSocket;
  if (!socket) throw new Error(`refused: ${response.status} ${await response.text()}`);
  socket.binaryType = "arraybuffer";
  socket.accept();
  let binaryMessages = 0;
  const received: HubMessage[] = [];
  const registered = Promise.withResolvers<void>();
  const closed = new Promise<string>((resolve) => {
    socket.addEventListener("close", ({ code }) => {
      registered.reject(new Error(`closed with ${code}`));
      resolve(connectionErrorName(code) ?? String(code));
    });
  });
  const connection = new Connection({
    role: "connector",
    text: "latin1",
    local: DEFAULT_PEER_LIMITS,
    remote: DEFAULT_PEER_LIMITS,
    send: (message) => socket.readyState === WebSocket.OPEN && socket.send(message),
    request: (stream, head) => serve(stream, head, application),
  });
  socket.addEventListener("message", ({ data }: MessageEvent) => {
    if (typeof data !== "string") {
      binaryMessages++;
      connection.receive(new Uint8Array(data as ArrayBuffer));
      return;
    }
    if (data === "orchestrator.v2.pong") return;
    const message = parseHubMessage(data);
    if (message) received.push(message);
    if (message?.type === "registered") registered.resolve();
    answerAsked(socket, message, application);
  });
  const capabilities: string[] = application.log ? [LOG_CAPABILITY] : [];
  if (application.command) capabilities.push(COMMANDS_CAPABILITY);
  const { access } = application;
  const register = registerMessage(clientId);
  const metadata = { ...register.metadata, ...(application.upstream && { upstream: application.upstream }) };
  socket.send(encodeControl({ ...register, metadata, capabilities, ...(access && { access }) }));
  await registered.promise;
  const sendStatus: FakeConnector["sendStatus"] = (status) =>
    socket.send(encodeControl({ type: "status_update", ...status }));
  return { socket, connection, received, binaryMessages: () => binaryMessages, closed, sendStatus };
}

/** What the hub asks for, where the application answers it. */
function answerAsked(socket: WebSocket, message: HubMessage | null, application: FakeApplication): void {
  if (message?.type === "command" && message.id !== undefined) {
    const { id } = message;
    application.command?.(() => socket.send(encodeControl({ type: "command_done", id })), id);
  }
  if (message?.type !== "log_request") return;
  const { id } = message;
  application.log?.((lines) => socket.send(encodeControl({ type: "log", id, lines })), id);
}

export function registerMessage(clientId: string): Register {
  return {
    type: "register",
    protocol: PROTOCOL_VERSION,
    client_id: clientId,
    software: { name: "fake", version: "1" },
    metadata: { hostname: "host", project: "/home/dev/project", platform: "linux" },
    capabilities: [],
    limits: DEFAULT_PEER_LIMITS,
    status: "idle",
    sessions: [],
  };
}

function serve(stream: Stream, head: RequestHead, application: FakeApplication): void {
  if (head.kind === "websocket" && application.webSocket) return application.webSocket(stream);
  if (head.kind === "websocket") return serveWebSocket(stream, application);
  stream.handler = {
    data: (payload) => stream.consume(payload.byteLength),
    end() {},
    reset() {},
    writable() {},
  };
  if (application.http) return application.http(stream, head);
  stream.respond({ status: 200, headers: [["x-target", head.target]] });
  stream.write(new TextEncoder().encode("hello"));
  stream.end();
}

function serveWebSocket(stream: Stream, application: FakeApplication): void {
  const sender = new MessageSender(stream, 1024 * 1024);
  const reply = (text: string) => sender.send(new TextEncoder().encode(text), true);
  const answer = application.message ?? reply;
  const receiver = new MessageReceiver(stream, 1024 * 1024, (message, _text, bytes) => {
    answer(new TextDecoder().decode(message), reply);
    stream.consume(bytes);
  });
  stream.handler = {
    data: (payload, text, more) => receiver.data(payload, text, more),
    end() {},
    close: (code, reason) => sender.close(code, reason),
    reset() {},
    writable: () => sender.drain(),
  };
  stream.respond({ status: 101, headers: [] });
}
