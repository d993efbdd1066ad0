/** A client of version 1 inside workerd, made of plain JSON: what it says is what its test says. */
import { env, exports } from "cloudflare:workers";
import { withViewer } from "../src/tunnel/internal-headers.ts";
import { instanceLabel } from "../src/origins.ts";

const HOST = "hub.localhost:8787";

export type Message = Record<string, unknown>;

export interface VersionOneClient {
  socket: WebSocket;
  /** Every message from the hub, in order. */
  received: Message[];
  /** Those of one type. */
  of: (type: string) => Message[];
  send: (message: Message | string | ArrayBuffer) => void;
  /** Resolves with the close code. */
  closed: Promise<number>;
}

/** Called with each `http_proxy_request`; what it returns is its answer. */
export type Serve = (request: Message) => Message | undefined;

/** The upgrade alone. */
export function dialVersionOne(
  query: Record<string, string>,
  headers: Record<string, string> = {},
): Promise<Response> {
  const url = `http://${HOST}/ws/connect?${new URLSearchParams(query).toString()}`;
  return exports.default.fetch(url, { headers: { upgrade: "websocket", host: HOST, ...headers } });
}

/** Takes the socket of an upgrade. Throws where it was refused. */
export function openClient(response: Response, serve?: Serve): VersionOneClient {
  const { webSocket: socket, status } = response;
  if (!socket) throw new Error(`refused: ${status}`);
  socket.accept();
  const received: Message[] = [];
  const send: VersionOneClient["send"] = (message) =>
    socket.send(
      typeof message === "string" || message instanceof ArrayBuffer ? message : JSON.stringify(message),
    );
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener("close", ({ code }) => resolve(code)),
  );
  socket.addEventListener("message", ({ data }) => {
    const message = JSON.parse(String(data)) as Message;
    received.push(message);
    const answer = message["type"] === "http_proxy_request" ? serve?.(message) : undefined;
    if (answer) send({ type: "http_proxy_response", request_id: message["request_id"], ...answer });
  });
  const of = (type: string) => received.filter((message) => message["type"] === type);
  return { socket, received, of, send, closed };
}

export const METADATA = {
  hostname: "box",
  project: "/srv/shop",
  status: "active",
  version: "1.8.0",
  platform: "linux",
  callback_url: "http://127.0.0.1:3001",
};

/** Dials with the token in the URL and registers; resolves once the hub has answered. */
export async function connectVersionOne(
  token: string,
  clientId: string,
  serve?: Serve,
): Promise<VersionOneClient> {
  const client = openClient(await dialVersionOne({ token, client_id: clientId }), serve);
  client.send({ type: "register", client_id: clientId, user_token: token, metadata: METADATA });
  await answered(client, "registered");
  return client;
}

/** Resolves with the first message of this type. */
export async function answered({ received, closed }: VersionOneClient, type: string): Promise<Message> {
  let code: number | undefined;
  closed.then(
    (by) => (code = by),
    () => undefined,
  );
  for (;;) {
    const message = received.find((one) => one["type"] === type);
    if (message) return message;
    if (code !== undefined) throw new Error(`closed with ${code}: ${JSON.stringify(received)}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A browser's request in path mode as the Worker passes it on, without who proves whom on the way. */
export async function viewPath(
  owner: string,
  clientId: string,
  path: string,
  init: RequestInit & { sessionId?: string; prefix?: string } = {},
): Promise<Response> {
  const label = await instanceLabel(owner, clientId);
  const { sessionId = "s", prefix = `/clients/${label}/proxy` } = init;
  const viewer = {
    userId: owner,
    login: "ann",
    sessionId,
    checkAt: Date.now() + 300_000,
    origin: `http://${HOST}`,
    prefix,
  };
  const request = new Request(`http://${HOST}${path}`, init);
  return env.TUNNEL.getByName(label).fetch(withViewer(request, viewer));
}

export interface BridgedPage {
  socket: WebSocket;
  /** Frames from the instance, in order. */
  frames: string[];
  closed: Promise<{ code: number; reason: string }>;
}

/** Opens a page's WebSocket in path mode; throws where it is refused. */
export async function openPage(
  owner: string,
  clientId: string,
  path = "/ws?token=x",
  sessionId = "s",
): Promise<BridgedPage> {
  const headers = { upgrade: "websocket" };
  const { webSocket: socket, status } = await viewPath(owner, clientId, path, { headers, sessionId });
  if (!socket) throw new Error(`refused: ${status}`);
  const frames: string[] = [];
  socket.addEventListener("message", ({ data }) => void frames.push(String(data)));
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.addEventListener("close", ({ code, reason }) => resolve({ code, reason })),
  );
  socket.accept();
  return { socket, frames, closed };
}
