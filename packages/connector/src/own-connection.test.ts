import * as http from "node:http";
import { type AddressInfo, createServer, type Server } from "node:net";
import { afterEach, expect, test } from "vitest";
import { OtherUserError, OwnAgent } from "./own-connection.ts";
import { asOtherUser, canBeOtherUser } from "./testing/other-user.ts";

const servers: Server[] = [];
const agents: OwnAgent[] = [];
afterEach(() => {
  for (const agent of agents.splice(0)) agent.destroy();
  for (const server of servers.splice(0)) server.close();
});

/** Counts connections and bytes, and answers each request with 204. */
async function listen(port = 0, address = "127.0.0.1") {
  const seen = { connections: 0, bytes: 0, port: 0 };
  const server = createServer((socket) => {
    seen.connections++;
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      seen.bytes += data.length;
      socket.write("HTTP/1.1 204 No Content\r\n\r\n");
    });
  });
  servers.push(server);
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, address, resolve);
  });
  seen.port = (server.address() as AddressInfo).port;
  return seen;
}

function newAgent(): OwnAgent {
  const agent = new OwnAgent({ keepAlive: true });
  agents.push(agent);
  return agent;
}

function get(agent: http.Agent, port: number, host = "127.0.0.1"): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const request = http.get({ host, port, agent, headers: { authorization: "Bearer secret" } }, (answer) => {
      answer.resume();
      answer.on("end", () => resolve(answer.statusCode));
    });
    request.on("error", reject);
  });
}

test.each(["127.0.0.1", "localhost", "hub.localhost"])(
  "connects to this user's port at %s, and keeps it",
  async (host) => {
    const seen = await listen();
    const agent = newAgent();
    expect(await get(agent, seen.port, host)).toBe(204);
    expect(await get(agent, seen.port, host)).toBe(204);
    expect(seen.connections).toBe(1);
  },
);

test.each(["localhost", "[::1]"])("connects to this user's port at ::1 by the name %s", async (host) => {
  // A machine may have no IPv6.
  const seen = await listen(0, "::1").catch(() => undefined);
  if (seen) expect(await get(newAgent(), seen.port, host)).toBe(204);
});

test("where nobody listens, it says so", async () => {
  const { port } = await listen();
  await new Promise((resolve) => servers.splice(0)[0]?.close(resolve));
  await expect(get(newAgent(), port)).rejects.toMatchObject({ code: "ECONNREFUSED" });
});

test.runIf(canBeOtherUser)("not a byte goes to a port of another user", async () => {
  const seen = await asOtherUser(() => listen());
  await expect(get(newAgent(), seen.port)).rejects.toBeInstanceOf(OtherUserError);
  expect(seen.bytes).toBe(0);
});

test.runIf(canBeOtherUser)("one who takes the port later gets nothing either", async () => {
  const { port } = await listen();
  const agent = newAgent();
  expect(await get(agent, port)).toBe(204);
  agent.destroy();
  await new Promise((resolve) => servers.splice(0)[0]?.close(resolve));
  const seen = await asOtherUser(() => listen(port));
  await expect(get(agent, port)).rejects.toThrow(`port ${port} belongs to another user of this machine`);
  expect(seen.bytes).toBe(0);
});
