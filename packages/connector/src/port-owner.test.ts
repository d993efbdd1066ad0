import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, test } from "vitest";
import { fromLsof, ownerAmong, parseLsof, parseProcNetTcp, portOwner } from "./port-owner.ts";
import { asOtherUser, canBeOtherUser } from "./testing/other-user.ts";

const TCP = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:0BB9 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 561049 1 0000000020ba90f1 100 0 0 10 0
   1: 0200107F:0BBA 00000000:0000 0A 00000000:00000000 00:00000000 00000000 65534        0 540151 1 00000000929848da 100 0 0 10 0
   2: 00000000:11F7 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 541068 1 00000000098f9986 100 0 0 10 0
   3: 0101A8C0:0BBB 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 541069 1 00000000098f9987 100 0 0 10 0
   4: 0100007F:0BBC 0100007F:9D2A 01 00000000:00000000 00:00000000 00000000  1000        0 541070 1 00000000098f9988 20 4 30 10 -1
`;
const TCP6 = `  sl  local_address                         remote_address                        st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000000000000000000001000000:0BB9 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000   998        0 35 1 0 100 0 0 10 0
   1: 00000000000000000000000000000000:22B8 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 36 1 0 100 0 0 10 0
   2: 0000000000000000FFFF00000100007F:22B9 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 37 1 0 100 0 0 10 0
   3: 000080FE00000000FF005450B6AD1DFE:22BA 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 38 1 0 100 0 0 10 0
`;

describe("what /proc says", () => {
  test("listeners on loopback and on any address, and no others", () => {
    expect(parseProcNetTcp(TCP)).toEqual([
      { port: 3001, uid: 1000 },
      { port: 3002, uid: 65534 },
      { port: 4599, uid: 0 },
    ]);
    expect(parseProcNetTcp(TCP6)).toEqual([
      { port: 3001, uid: 998 },
      { port: 8888, uid: 1000 },
      { port: 8889, uid: 1000 },
    ]);
    expect(parseProcNetTcp("")).toEqual([]);
  });

  const all = [...parseProcNetTcp(TCP), ...parseProcNetTcp(TCP6)];
  test.each([
    [8888, 1000, "ours"],
    [8888, 1001, "other"],
    // Root's own programs are root's only, and nobody else's are.
    [4599, 0, "ours"],
    [4599, 1000, "other"],
    [8888, 0, "other"],
    // Another user listens on ::1 beside ours on 127.0.0.1.
    [3001, 1000, "other"],
    [3001, 998, "other"],
    [3003, 1000, "nobody"],
  ])("port %i is to user %i: %s", (port, uid, owner) => expect(ownerAmong(all, port, uid)).toBe(owner));
});

test("what lsof says", () => {
  const text =
    "p81\nu501\nf12\nn127.0.0.1:3001\nf13\nn[::1]:3001\np82\nu502\nf4\nn*:3001\nf5\nn192.168.1.5:3001\n";
  expect(parseLsof(text)).toEqual([
    { port: 3001, uid: 501 },
    { port: 3001, uid: 501 },
    { port: 3001, uid: 502 },
  ]);
  expect(parseLsof("")).toEqual([]);
});

describe("on this machine", () => {
  const servers: ReturnType<typeof createServer>[] = [];
  afterEach(() => {
    for (const server of servers.splice(0)) server.close();
  });
  async function listen(host: string, port = 0): Promise<number> {
    const server = createServer();
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(port, host, resolve));
    return (server.address() as AddressInfo).port;
  }

  test.each(["127.0.0.1", "0.0.0.0"])("a port of ours on %s", async (host) => {
    const port = await listen(host);
    expect(await portOwner(port)).toBe("ours");
    servers.splice(0)[0]?.close();
    expect(await portOwner(port)).toBe("nobody");
  });

  test.runIf(canBeOtherUser)("a port of another user, and one that both listen on", async () => {
    const port = await asOtherUser(() => listen("127.0.0.1"));
    expect(await portOwner(port)).toBe("other");
    const shared = await listen("127.0.0.1");
    await asOtherUser(() => listen("127.0.0.2", shared));
    expect(await portOwner(shared)).toBe("other");
  });

  test("by lsof, where there is one", async () => {
    const port = await listen("127.0.0.1");
    const listeners = await fromLsof(port);
    expect(listeners === undefined ? "ours" : ownerAmong(listeners, port, process.geteuid?.() ?? -1)).toBe(
      "ours",
    );
    servers.splice(0)[0]?.close();
    expect((await fromLsof(port)) ?? []).toEqual([]);
  });
});
