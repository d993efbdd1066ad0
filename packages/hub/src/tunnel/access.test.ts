/** Instances with a list of who may use them: who is let in, what the others are told, and when what is open ends. */
import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import type { AccessList, RequestHead } from "@ai-orchestrator/protocol";
import { afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import { connectFake, type FakeApplication } from "../../test/fake-connector.ts";
import { instanceOf, ownerWithToken } from "../../test/hub.ts";
import { openWebSocket, tunnelOf, view, type ViewerRequest } from "../../test/viewer.ts";
import type { Belonging } from "../auth/instance-access.ts";
import type { Env } from "../env.ts";
import { UserHub } from "../user-hub/user-hub.ts";
import { Access } from "./access.ts";
import { DeclaredAccess } from "./declared-access.ts";

const OWNER = "github:7";
const PAGE = { accept: "text/html" };
let token: string;
let count = 0;

beforeAll(async () => {
  token = await ownerWithToken(OWNER);
});
afterEach(() => {
  vi.restoreAllMocks();
});

/** A new instance of the owner's, who is called ann, and every REQUEST that reached its connector. */
async function instance(access: AccessList | undefined, application: FakeApplication = {}) {
  const id = `listed-${++count}`;
  const heads: RequestHead[] = [];
  const http: FakeApplication["http"] = (stream, head) => {
    heads.push(head);
    stream.respond({ status: 200, headers: [] });
    stream.write(new TextEncoder().encode("hello"));
    if (head.target !== "/endless") stream.end();
  };
  const connect = (list: AccessList | undefined) =>
    connectFake(token, id, { http, ...application, ...(list && { access: list }) });
  const connector = await connect(access);
  const ask = (init: ViewerRequest = {}, path = "/") => view(OWNER, id, path, init);
  return { id, heads, connect, connector, ask, open: () => openWebSocket(OWNER, id) };
}

/** Read to its end: an object with an answer on its way is not evicted. */
async function statusOf(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  await response.text();
  return response.status;
}

/** What the owner's UserHub answers, and what it is asked. */
function belongs(standing: () => Belonging["standing"], more: Partial<Belonging> = {}) {
  return vi.spyOn(UserHub.prototype, "belonging").mockImplementation(async () => ({
    standing: standing(),
    login: "ann",
    until: Date.now() + 3_600_000,
    ...more,
  }));
}

describe("a list of people", () => {
  test.each<[string, AccessList]>([
    ["by name", { users: ["bea", "ANN"] }],
    ["by id", { users: ["whoever:7"] }],
  ])("lets in who is on it %s, by HTTP and WebSocket", async (_, list) => {
    const { ask, open } = await instance(list);
    expect(await statusOf(ask())).toBe(200);
    const socket = await open();
    socket.socket.send("echo");
    expect(await socket.next()).toBe("echo");
  });

  test.each<[string, AccessList]>([
    ["names others", { users: ["bea", "ann:8"] }],
    ["names nobody", {}],
  ])("that %s refuses its owner, too, before anything reaches the connector", async (_, list) => {
    const { ask, connector, heads } = await instance(list);
    const before = connector.binaryMessages();
    for (const method of ["GET", "POST", "DELETE"]) expect(await statusOf(ask({ method }))).toBe(403);
    const upgrade = await ask({ headers: { upgrade: "websocket" } });
    expect([upgrade.status, upgrade.webSocket]).toEqual([403, null]);
    expect(await upgrade.json()).toMatchObject({ error: { code: "not_on_list" } });
    expect([connector.binaryMessages() - before, heads]).toEqual([0, []]);
  });

  test("says who one is signed in as, who may use it and what to do, whatever the names are", async () => {
    const users = ["bea", "<b>x</b>\u202e", "cleo:9", ":10"];
    const { ask, id } = await instance({ users, organization: "acme", team: "core" });
    belongs(() => "not_member");
    const answer = await ask({ headers: PAGE });
    const page = await answer.text();
    expect([answer.status, answer.headers.get("x-orchestrator-error")]).toEqual([403, "not_on_list"]);
    expect(answer.headers.get("cache-control")).toBe("no-store");
    expect(page).toContain("You are signed in as ann.");
    expect(page).toContain(
      "lets in only bea, &lt;b&gt;x&lt;/b&gt;, cleo (GitHub id 9), GitHub id 10 and members of acme/core, and its owner is no exception.",
    );
    expect(page).not.toContain("\u202e");
    expect(page).toContain(id);
    expect(page).toContain("ORCHESTRATOR_GITHUB_USERS");
    expect(page).toContain(`href="${env.HUB_ORIGIN}/dashboard"`);
  });

  test("is in the registry, for pages to show", async () => {
    const list = { users: ["ann"], organization: "acme" };
    const { id } = await instance(list);
    const listed = async () => (await instanceOf(env.USER_HUB.getByName(OWNER), id))?.access;
    await expect.poll(listed).toEqual(list);
  });

  test("outlives the object, and lasts until the next registration says something else", async () => {
    const { id, ask, connect } = await instance({ users: ["bea"] });
    await evictDurableObject(await tunnelOf(OWNER, id), { webSockets: "hibernate" });
    expect(await statusOf(ask())).toBe(403);
    await connect({ users: ["ann"] });
    expect(await statusOf(ask())).toBe(200);
    await connect({ users: ["bea"] });
    expect(await statusOf(ask())).toBe(403);
    await connect(undefined);
    await evictDurableObject(await tunnelOf(OWNER, id), { webSockets: "hibernate" });
    expect(await statusOf(ask())).toBe(200);
  });

  test("narrowed by a new registration ends what is open, and opens nothing again", async () => {
    const { id, connect, open, ask } = await instance({ users: ["ann"] });
    const [socket, endless] = [await open(), await ask({}, "/endless")];
    await connect({ users: ["bea"] });
    expect(await socket.closed).toBe(1012);
    await expect(endless.text()).rejects.toThrow();
    await expect(open()).rejects.toThrow("refused: 403");
    // The mark in a page that is left only says whether the instance is there.
    expect((await (await tunnelOf(OWNER, id)).presence(OWNER)).connected).toBe(true);
  });

  test("refuses who is not signed in with GitHub, and says so", async () => {
    const local = "someone-local";
    await connectFake(await ownerWithToken(local), "local-listed", { access: { users: ["ann", "ann:7"] } });
    const page = await (await view(local, "local-listed", "/", { headers: PAGE })).text();
    expect(page).toContain("You are signed in to this hub without GitHub, and only people of GitHub");
    expect(page).toContain("403 not_on_list");
  });
});

test("a registration writes the list only where it is another", () => {
  const written: unknown[] = [];
  const stored = new Map<string, unknown>();
  const kv = {
    get: (key: string) => stored.get(key),
    put: (key: string, value: unknown) => void written.push(stored.set(key, value) && value),
    delete: (key: string) => written.push(`no ${key}`) > 0 && stored.delete(key),
  };
  const declared = () => new DeclaredAccess({ kv } as unknown as DurableObjectStorage);
  const [first, list, other] = [declared(), { users: ["ann"] }, { users: ["ann"], team: "a/b" }];
  for (const next of [undefined, undefined, list, { users: ["ann"] }, other, other]) first.declare(next);
  expect(written).toEqual([list, other]);
  const second = declared();
  expect(second.current()).toEqual(other);
  for (const next of [other, undefined, undefined]) second.declare(next);
  expect([written.slice(2), second.current(), declared().current()]).toEqual([
    ["no access"],
    undefined,
    undefined,
  ]);
});

describe("a list with an organisation or a team", () => {
  test("asks once for many requests, and tells the instance of no other membership", async () => {
    const asked = belongs(() => "member");
    const { ask, heads, open } = await instance({ users: ["bea"], organization: "Acme" });
    expect(await Promise.all(Array.from({ length: 20 }, () => statusOf(ask())))).toEqual(
      Array.from({ length: 20 }, () => 200),
    );
    await open();
    expect(asked.mock.calls).toEqual([[{ kind: "organization", name: "acme" }]]);
    const told = heads[0]?.headers.filter(([name]) => name.startsWith("x-orchestrator-"));
    expect(told).toEqual([
      ["x-orchestrator-user-id", "7"],
      ["x-orchestrator-username", "ann"],
      ["x-orchestrator-organizations", "acme"],
    ]);
  });

  test("of a team tells of the team alone; whom it names is not asked about", async () => {
    const asked = belongs(() => "member");
    const team = await instance({ organization: "acme", team: "core" });
    await statusOf(team.ask());
    expect(asked.mock.calls).toEqual([[{ kind: "team", name: "acme/core" }]]);
    expect(team.heads[0]?.headers.at(-1)).toEqual(["x-orchestrator-teams", "acme/core"]);
    const named = await instance({ users: ["ann"], organization: "acme" });
    await statusOf(named.ask());
    expect(asked).toHaveBeenCalledTimes(1);
    expect(named.heads[0]?.headers.at(-1)).toEqual(["x-orchestrator-username", "ann"]);
  });

  test("believes an answer for five minutes, or until it says itself", async () => {
    const now = Date.now();
    const clock = vi.spyOn(Date, "now");
    for (const [until, lasts] of [
      [now + 3_600_000, 5 * 60_000],
      [now + 1000, 1000],
    ] as const) {
      clock.mockReturnValue(now);
      const belonging = vi.fn<UserHub["belonging"]>(() =>
        Promise.resolve({ standing: "member", login: "ann", until }),
      );
      const access = new Access({ USER_HUB: { getByName: () => ({ belonging }) } } as unknown as Env, {
        list: () => ({ organization: "acme" }),
        owner: () => OWNER,
        hasOpen: () => false,
        closeAll: () => undefined,
      });
      const viewer = { userId: OWNER, login: "ann", sessionId: "s", checkAt: 0, origin: "", prefix: "" };
      for (const ms of [0, 1, lasts - 1]) {
        clock.mockReturnValue(now + ms);
        expect(await access.admit(viewer)).toMatchObject({ viewer: { organizations: ["acme"], teams: [] } });
        expect(belonging).toHaveBeenCalledTimes(1);
      }
      clock.mockReturnValue(now + lasts);
      await access.admit(viewer);
      expect(belonging).toHaveBeenCalledTimes(2);
    }
  });

  test.each<[Belonging["standing"], string]>([
    ["not_member", "members of acme, and its owner is no exception.</p>"],
    ["not_known", "This hub does not know who belongs to acme: its own allow-list does not name it."],
    ["untold", "GitHub does not tell this hub now whether you belong to acme."],
  ])("refuses who is %s, in words", async (standing, words) => {
    belongs(() => standing);
    const { ask, heads } = await instance({ organization: "acme" });
    const answer = await ask({ headers: PAGE });
    expect([answer.status, await answer.text()]).toEqual([403, expect.stringContaining(words)]);
    expect(heads).toEqual([]);
  });

  test("refuses where nobody can be asked, and asks again with the next request", async () => {
    let fails = 3;
    const asked = vi.spyOn(UserHub.prototype, "belonging").mockImplementation(async () => {
      if (fails-- > 0) throw new Error("deploying");
      return { standing: "member", login: "ann", until: Date.now() + 60_000 };
    });
    const { ask } = await instance({ organization: "acme" });
    const refused = await ask({ headers: PAGE });
    expect([refused.status, await refused.text()]).toEqual([
      403,
      expect.stringContaining("does not tell this hub"),
    ]);
    expect(asked).toHaveBeenCalledTimes(2);
    expect(await statusOf(ask())).toBe(200);
    expect(asked).toHaveBeenCalledTimes(4);
  });

  test.each(["in memory", "asleep"])(
    "ends what is open %s once its owner is known to have left",
    async (where) => {
      let standing: Belonging["standing"] = "member";
      belongs(() => standing);
      const { id, open, ask, connector } = await instance({ organization: "acme" });
      const socket = await open();
      if (where === "asleep")
        await evictDurableObject(await tunnelOf(OWNER, id), { webSockets: "hibernate" });
      const endless = where === "asleep" ? null : await ask({}, "/endless");
      const tunnel = await tunnelOf(OWNER, id);
      await tunnel.membershipsChanged(OWNER);
      socket.socket.send("still here");
      expect(await socket.next()).toBe("still here");
      standing = "not_member";
      await tunnel.membershipsChanged("github:8");
      expect(await statusOf(ask())).toBe(200);
      await tunnel.membershipsChanged(OWNER);
      expect(await socket.closed).toBe(1008);
      if (endless) await expect(endless.text()).rejects.toThrow();
      expect(await statusOf(ask())).toBe(403);
      expect(connector.socket.readyState).toBe(WebSocket.OPEN);
    },
  );

  test("ends nothing of whom the list names besides", async () => {
    belongs(() => "not_member");
    const { id, open } = await instance({ users: ["ann"], organization: "acme" });
    const socket = await open();
    await (await tunnelOf(OWNER, id)).membershipsChanged(OWNER);
    socket.socket.send("here");
    expect(await socket.next()).toBe("here");
  });

  test("is asked again by the alarm that asks after sign-ins; where nobody answers, what is open ends", async () => {
    let standing: Belonging["standing"] | undefined = "member";
    vi.spyOn(UserHub.prototype, "belonging").mockImplementation(async () => {
      if (standing === undefined) throw new Error("away");
      return { standing, login: "ann", until: Date.now() + 3_600_000 };
    });
    const { id, open } = await instance({ organization: "acme" });
    const socket = await open();
    const tunnel = await tunnelOf(OWNER, id);
    expect(await runInDurableObject(tunnel, (_, { storage }) => storage.getAlarm())).not.toBeNull();
    expect(await runDurableObjectAlarm(tunnel)).toBe(true);
    socket.socket.send("here");
    expect(await socket.next()).toBe("here");
    standing = undefined;
    await runDurableObjectAlarm(tunnel);
    expect(await socket.closed).toBe(1008);
  });
});

test("no database is asked for a request to an instance with a list", async () => {
  belongs(() => "member");
  const [users, group, refused] = [
    await instance({ users: ["ann"] }),
    await instance({ organization: "acme" }),
    await instance({ users: ["bea"] }),
  ];
  const prepare = vi.spyOn(env.DB, "prepare");
  for (let round = 0; round < 3; round++)
    expect([await statusOf(users.ask()), await statusOf(group.ask()), await statusOf(refused.ask())]).toEqual(
      [200, 200, 403],
    );
  // How many are connected is noted when that changes, later.
  expect(prepare.mock.calls.filter(([sql]) => !sql.includes("census"))).toEqual([]);
});
