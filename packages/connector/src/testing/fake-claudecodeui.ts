/** As much of claudecodeui's HTTP API as signing in and asking for sessions take. For tests. */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readTokenTimes, signToken } from "../claudecodeui/jwt.ts";

export interface FakeClaudecodeui {
  target: string;
  port: number;
  user: { username: string; password: string } | undefined;
  secret: string;
  onboarded: boolean;
  /** Every request, `GET /path`. */
  requests: string[];
  /** Milliseconds added to its clock. */
  clockMs: number;
  running: string[];
  stop(): Promise<void>;
}

const USER_ID = 1;

/** Starts one without a user, on `port` or a free one. */
export async function startFakeClaudecodeui(port = 0): Promise<FakeClaudecodeui> {
  const server = createServer((request, response) => {
    answer(fake, request, response).catch((error: unknown) => response.destroy(error as Error));
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const { port: bound } = server.address() as AddressInfo;
  const fake: FakeClaudecodeui = {
    target: `http://127.0.0.1:${bound}`,
    port: bound,
    user: undefined,
    secret: "its secret",
    onboarded: false,
    requests: [],
    clockMs: 0,
    running: [],
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
  return fake;
}

async function answer(
  fake: FakeClaudecodeui,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  let text = "";
  for await (const chunk of request) text += String(chunk);
  const path = `${request.method} ${request.url}`;
  fake.requests.push(path);
  const body = text === "" ? {} : (JSON.parse(text) as { username?: string; password?: string });
  const { status, json } =
    isOpen(path) || isSignedIn(fake, request) ? handle(fake, path, body) : { status: 401, json: {} };
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(json));
}

type Handler = (fake: FakeClaudecodeui, body: { username?: string; password?: string }) => Answer;
interface Answer {
  status: number;
  json: object;
}

const HANDLERS: Record<string, Handler> = {
  "GET /health": () => ok({ status: "ok", installMode: "npm", version: "1.2.3" }),
  "GET /api/auth/status": (fake) => ok({ needsSetup: fake.user === undefined, isAuthenticated: false }),
  "POST /api/auth/register": (fake, { username = "", password = "" }) => {
    if (fake.user) return { status: 403, json: {} };
    fake.user = { username, password };
    return ok({ success: true, token: issue(fake) });
  },
  "POST /api/auth/login": (fake, { username, password }) => {
    const right = fake.user?.username === username && fake.user?.password === password;
    return right ? ok({ token: issue(fake) }) : { status: 401, json: {} };
  },
  "POST /api/auth/refresh": (fake) => ok({ token: issue(fake) }),
  "POST /api/user/complete-onboarding": (fake) => {
    fake.onboarded = true;
    return ok({});
  },
  "GET /api/auth/user": (fake) => ok({ user: fake.user?.username }),
  "GET /api/providers/sessions/running": (fake) =>
    ok({ data: { sessions: fake.running.map((sessionId) => ({ sessionId, startedAt: 1 })) } }),
};

function handle(fake: FakeClaudecodeui, path: string, body: Parameters<Handler>[1]): Answer {
  return HANDLERS[path]?.(fake, body) ?? { status: 404, json: {} };
}

function isOpen(path: string): boolean {
  return path === "GET /health" || /\/api\/auth\/(status|register|login)$/.test(path);
}

function isSignedIn(fake: FakeClaudecodeui, request: IncomingMessage): boolean {
  const token = request.headers.authorization?.split(" ")[1] ?? "";
  const { issuedAt, expiresAt } = readTokenTimes(token);
  if (!fake.user || issuedAt === undefined || expiresAt === undefined) return false;
  const genuine = signToken({ id: USER_ID, username: fake.user.username }, fake.secret, issuedAt) === token;
  return genuine && Date.now() + fake.clockMs < expiresAt;
}

/** Never the same twice: the fake's clock moves on by a second with each. */
function issue(fake: FakeClaudecodeui): string {
  fake.clockMs += 1_000;
  return signToken(
    { id: USER_ID, username: fake.user?.username ?? "" },
    fake.secret,
    Date.now() + fake.clockMs,
  );
}

const ok = (json: object) => ({ status: 200, json });
