/**
 * A running connector, reachable for `orchestrator status` and `orchestrator disconnect` of the same user on the same machine. Who may
 * open the socket is who may open its folder.
 */
import { createServer, type Socket } from "node:net";
import * as v from "valibot";
import type { OrchestratorClient } from "./client.ts";
import { newSocketPath } from "./local-control-folder.ts";
import { type Answer, MAX_LINE_BYTES, QuestionSchema, type Running } from "./local-control-messages.ts";
import { settingsFolder } from "./settings-folder.ts";

const QUESTION_TIMEOUT_MS = 2_000;

export interface LocalControlOptions {
  /** Default: `settingsFolder(env)` of this process. */
  folder?: string;
  /** True in a program that embeds the connector. */
  embedded?: boolean;
  /** What `orchestrator disconnect` does; default: `client.stop()`. It answers once this has resolved. */
  disconnect?: () => Promise<void>;
  /** Called with a sentence where nothing can be listened at; the connector works all the same. */
  failed?: (message: string) => void;
}

/**
 * Listens for this user's commands until the client has ended, or the function it returns is called. Call it before `client.start()`: it learns what happens
 * from the client's events. Never throws, and keeps no process running.
 */
export function startLocalControl(client: OrchestratorClient, options: LocalControlOptions = {}): () => void {
  const { folder = settingsFolder(), embedded = false, disconnect = () => client.stop(), failed } = options;
  const running = follow(client, embedded);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.unref();
    socket.setTimeout(QUESTION_TIMEOUT_MS, () => socket.destroy());
    // Whoever asked has left; there is nobody to tell.
    socket.on("error", () => socket.destroy());
    socket.on("close", () => sockets.delete(socket));
    readLine(socket, (line) => {
      // A process that ends now ends after its answer.
      socket.ref().setTimeout(0);
      answer(line, { running, disconnect }).then(
        (said) => socket.end(`${JSON.stringify(said)}\n`),
        () => socket.destroy(),
      );
    });
  });
  server.on("error", (error) => failed?.(`orchestrator status cannot see this: ${error.message}`));
  try {
    server.listen(newSocketPath(folder)).unref();
  } catch (error) {
    failed?.(
      `orchestrator status cannot see this: ${error instanceof Error ? error.message : String(error)}`,
    );
  }
  const stop = () => {
    if (server.listening) server.close();
    for (const socket of sockets) if (socket.bytesRead === 0) socket.destroy();
  };
  client.once("ended", stop);
  return stop;
}

/** What the client said last, as it would be told. */
function follow(client: OrchestratorClient, embedded: boolean): () => Running {
  const { url: hub, clientId, target, metadata } = client.options;
  const running: Running = {
    pid: process.pid,
    state: "starting",
    embedded,
    hub: new URL(hub).origin,
    clientId,
    target,
    since: Date.now(),
    status: "idle",
    needsPerson: 0,
    ...(metadata.project !== undefined && { project: metadata.project.slice(0, 1000) }),
  };
  const become = (state: Running["state"], reason?: string) => {
    if (running.state !== state) running.since = Date.now();
    running.state = state;
    if (reason === undefined) delete running.reason;
    else running.reason = reason.slice(0, 1000);
  };
  // What keeps an attempt from being made is told until one succeeds.
  client.on("connecting", () => running.state === "starting" && become("connecting"));
  client.on("connected", ({ url }) => {
    running.url = url;
    become("connected");
  });
  client.on("disconnected", ({ message }) => become("waiting", message));
  client.on("sentAway", ({ message }) => become("sent_away", message));
  client.on("stopped", ({ message }) => become("stopped", message));
  client.on("status", ({ status, needsPerson }) => Object.assign(running, { status, needsPerson }));
  return () => ({ ...running });
}

async function answer(
  line: string,
  { running, disconnect }: { running: () => Running; disconnect: () => Promise<void> },
): Promise<Answer> {
  const question = v.safeParse(v.pipe(v.string(), v.parseJson(), QuestionSchema), line);
  if (!question.success) return { ok: false, message: "not a question that this version knows" };
  if (question.output.ask === "status") return { ok: true, running: running() };
  const before = running();
  await disconnect();
  return { ok: true, running: before };
}

/** Calls `read` with the first line that comes; one that is too long ends the connection. */
function readLine(socket: Socket, read: (line: string) => void): void {
  let received = "";
  socket.setEncoding("utf8");
  const take = (chunk: string) => {
    received += chunk;
    const end = received.indexOf("\n");
    if (end >= 0) {
      socket.off("data", take);
      read(received.slice(0, end));
    } else if (received.length > MAX_LINE_BYTES) socket.destroy();
  };
  socket.on("data", take);
}
