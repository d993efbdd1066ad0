/** A browser at an instance's host, with a viewer cookie of any sign-in. */
import { env, exports } from "cloudflare:workers";
import { ACCESS_MS } from "../src/auth/session.ts";
import { signViewerCookie, VIEWER_COOKIE } from "../src/auth/viewer.ts";
import { instanceLabel } from "../src/origins.ts";

export interface ViewerRequest extends RequestInit {
  /** Default: the owner. */
  user?: string;
  sessionId?: string;
  /** Default: true. */
  showsMark?: boolean;
  /** When the cookie was issued, milliseconds since the epoch; default: now. */
  issuedAt?: number;
}

/** The Tunnel of a person's instance. */
export async function tunnelOf(owner: string, clientId: string) {
  return env.TUNNEL.getByName(await instanceLabel(owner, clientId));
}

/** Asks a person's instance, as a page of its own would. */
export async function view(
  owner: string,
  clientId: string,
  path: string,
  init: ViewerRequest = {},
): Promise<Response> {
  const label = await instanceLabel(owner, clientId);
  const origin = `http://${label}.hub.localhost:8787`;
  const { user: userId = owner, sessionId = "s", issuedAt = Date.now(), showsMark = true } = init;
  const content = { userId, login: "ann", sessionId, showsMark, label, until: issuedAt + ACCESS_MS };
  const headers = new Headers(init.headers);
  headers.set("host", new URL(origin).host);
  if (!headers.has("origin")) headers.set("origin", origin);
  headers.set("cookie", `${VIEWER_COOKIE}=${await signViewerCookie(env, content)}`);
  return exports.default.fetch(origin + path, { ...init, headers, redirect: "manual" });
}

export interface OpenWebSocket {
  socket: WebSocket;
  next(): Promise<string>;
  /** Its close code. */
  closed: Promise<number>;
  /** The same, as far as it is known by now. */
  closeCode(): number | undefined;
}

/** Opens a WebSocket to a person's instance; throws where it is refused. */
export async function openWebSocket(
  owner: string,
  clientId: string,
  init: Pick<ViewerRequest, "sessionId" | "issuedAt"> = {},
): Promise<OpenWebSocket> {
  const { webSocket: socket, status } = await view(owner, clientId, "/ws", {
    ...init,
    headers: { upgrade: "websocket" },
  });
  if (!socket) throw new Error(`refused: ${status}`);
  socket.accept();
  const queue: string[] = [];
  let wake: (() => void) | undefined;
  let closeCode: number | undefined;
  socket.addEventListener("message", ({ data }) => {
    queue.push(String(data));
    wake?.();
  });
  const closed = new Promise<number>((resolve) => {
    socket.addEventListener("close", ({ code }) => {
      closeCode = code;
      resolve(code);
    });
  });
  const next = async () => {
    while (queue.length === 0) await new Promise<void>((resolve) => (wake = resolve));
    return queue.shift() ?? "";
  };
  return { socket, next, closed, closeCode: () => closeCode };
}
