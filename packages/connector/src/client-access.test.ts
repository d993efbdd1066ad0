/** A list of who may use the instance, in a client with a hub's end of the protocol: what is declared, refused and passed on. */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import {
  Connection,
  DEFAULT_PEER_LIMITS,
  type AccessList,
  type StreamErrorCode,
} from "@ai-orchestrator/protocol";
import { WebSocketServer } from "ws";
import { createPlainAdapter, type HeaderList } from "./adapter.ts";
import { startClient, type RunningClient } from "./testing/running-client.ts";

/** The application, and everything that reached it. */
interface Application {
  server: Server;
  target: string;
  connections: number;
  requests: IncomingMessage[];
}

let application: Application;
let running: RunningClient | undefined;

beforeEach(async () => {
  const server = createServer((request, answer) => {
    application.requests.push(request);
    request.resume().on("end", () => answer.end("hello"));
  });
  const sockets = new WebSocketServer({ server });
  sockets.on("connection", (_socket, request) => application.requests.push(request));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  application = { server, target, connections: 0, requests: [] };
  server.on("connection", () => application.connections++);
});

afterEach(async () => {
  await running?.stop();
  running = undefined;
  application.server.closeAllConnections();
  application.server.close();
});

/** Opens streams to a client with this list; each resolves with the answer's status or why it was reset. */
async function open(access: AccessList | undefined) {
  running = await startClient({ target: application.target, ...(access && { access }) });
  const { hub, client } = running;
  await vi.waitFor(() => expect(running?.events).toContain("connected"), 5000);
  const connection = new Connection({
    role: "hub",
    text: "utf-8",
    local: DEFAULT_PEER_LIMITS,
    remote: DEFAULT_PEER_LIMITS,
    send: (message) => hub.socket?.send(message),
  });
  hub.socket?.on("message", (data: Buffer, isBinary) => {
    if (isBinary) connection.receive(new Uint8Array(data));
  });
  const ask = (kind: "http" | "websocket", headers: HeaderList, body?: string) =>
    new Promise<number | StreamErrorCode>((resolve) => {
      const stream = connection.open(
        { kind, method: body === undefined ? "GET" : "POST", target: "/", headers },
        {
          response: ({ status }) => resolve(status),
          data: (payload) => stream.consume(payload.byteLength),
          end: () => undefined,
          reset: ({ code }) => resolve(code),
          writable: () => undefined,
        },
        kind === "http" && body === undefined,
      );
      if (body === undefined) return;
      stream.write(new TextEncoder().encode(body));
      stream.end();
    });
  return { ask, client, registered: () => running?.registers()[0] };
}

const who = (id: string, login: string): HeaderList => [
  ["x-orchestrator-user-id", id],
  ["x-orchestrator-username", login],
];

test("who is not on the list reaches nothing, by HTTP or WebSocket, and is refused as denied", async () => {
  const access = { users: ["ann", "x:9"], organization: "acme" };
  const { ask, client, registered } = await open(access);
  expect(registered()?.access).toEqual(access);
  for (const headers of [who("8", "bea"), who("local", "local"), who("local", "ann"), []]) {
    expect(await ask("http", headers)).toBe("denied");
    expect(await ask("http", headers, "a body that goes nowhere")).toBe("denied");
    expect(await ask("websocket", headers)).toBe("denied");
  }
  expect(application.connections).toBe(0);
  expect(client.refusedStreams).toBe(12);
  // Nobody at GitHub is one person each: `local`, `ann` of no GitHub, and whoever said nothing.
  expect(running?.log().filter((line) => line.includes("was refused"))).toHaveLength(3);
  expect(running?.events.filter((name) => name === "warning")).toHaveLength(3);

  expect(await ask("http", who("7", "Ann"))).toBe(200);
  expect(await ask("websocket", who("9", "renamed"))).toBe(101);
  const member: HeaderList = [...who("8", "bea"), ["x-orchestrator-organizations", "acme"]];
  expect(await ask("http", member, "body")).toBe(200);
  expect(application.requests).toHaveLength(3);
});

test("the application is told who looks and nothing of what they belong to, nor what only resembles it", async () => {
  const { ask } = await open({ organization: "acme" });
  const headers: HeaderList = [
    ...who("7", "ann"),
    ["x-orchestrator-organizations", "acme"],
    ["x-orchestrator-teams", "acme/core"],
    ["x_orchestrator_user_id", "8"],
    ["x-orchestrator_username", "bea"],
    ["x_orchestrator-teams", "acme/core"],
    ["x-orchestrator-anything", "1"],
  ];
  expect(await ask("http", headers)).toBe(200);
  expect(await ask("websocket", headers)).toBe(101);
  for (const request of application.requests) {
    const told = Object.entries(request.headers).filter(([name]) => name.includes("orchestrator"));
    expect(Object.fromEntries(told)).toEqual({
      "x-orchestrator-user-id": "7",
      "x-orchestrator-username": "ann",
    });
  }
});

test("without a list it lets everybody in whom the hub lets through, and declares none", async () => {
  const { ask, registered } = await open(undefined);
  expect(registered()).not.toHaveProperty("access");
  expect(await ask("http", [])).toBe(200);
  expect(await ask("http", who("local", "local"))).toBe(200);
});

test("a list that no hub would take is refused before anything is dialled", async () => {
  await expect(startClient({ access: { users: ["x".repeat(161)] } })).rejects.toThrow(RangeError);
});

test("says when it has refreshed, after the status, to a hub that wants to hear of it", async () => {
  const refreshed: string[] = [];
  let fails = false;
  const adapter = {
    ...createPlainAdapter(),
    refresh: async () => {
      refreshed.push("refresh");
      if (fails) throw new Error("no");
    },
  };
  running = await startClient({ adapter });
  const { hub, events, registers } = running;
  await vi.waitFor(() => expect(events).toContain("connected"), 5000);
  expect(registers()[0]?.capabilities).toContain("commands");
  const heard = () => hub.received.slice(1).map((message) => ("id" in message ? message.id : message.type));
  hub.send({ type: "command", command: "refresh_status", id: 5 });
  await vi.waitFor(() => expect(heard()).toEqual(["status_update", 5]), 5000);
  // An older hub gives no id, and hears of the status alone.
  hub.send({ type: "command", command: "refresh_status" });
  await vi.waitFor(() => expect(heard()).toEqual(["status_update", 5, "status_update"]), 5000);
  fails = true;
  hub.send({ type: "command", command: "refresh_status", id: 6 });
  await vi.waitFor(() => expect(refreshed).toHaveLength(3), 5000);
  fails = false;
  hub.send({ type: "command", command: "refresh_status", id: 7 });
  await vi.waitFor(
    () => expect(heard()).toEqual(["status_update", 5, "status_update", "status_update", 7]),
    5000,
  );
});
