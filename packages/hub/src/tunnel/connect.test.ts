/** What a connector's dial meets, door by door: 401, 403 and 429, with counts. */
import { evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { createInstanceToken, issueInstanceToken, type Scope } from "../auth/token.ts";
import { revokeToken } from "../db/tokens.ts";
import { upsertUser } from "../db/users.ts";
import { instanceLabel } from "../origins.ts";
import { UserHub } from "../user-hub/user-hub.ts";
import { encodeControl } from "@ai-orchestrator/protocol";
import { admit, instancesOf } from "../../test/hub.ts";
import { connectFake, dial, registerMessage } from "../../test/fake-connector.ts";

const OWNER = "github:1";

beforeAll(async () => {
  await upsertUser(env.DB, { id: OWNER, login: "ann", name: "Ann" });
  await admit(OWNER);
});

const tokenOf = async (userId = OWNER, more: { scopes?: Scope[]; expiresAt?: number } = {}) =>
  issueInstanceToken(env.DB, { userId, name: "test", ...more });
const from = (ip: string) => ({ "cf-connecting-ip": ip });

interface Answer {
  status: number;
  retryAfter: string | null;
  code?: string;
  message?: string;
}

/** The answer to a dial; a socket is closed again. */
async function answerTo(
  token: string,
  clientId: string,
  headers: Record<string, string> = {},
): Promise<Answer> {
  const response = await dial(token, clientId, headers);
  const { status, webSocket } = response;
  const retryAfter = response.headers.get("retry-after");
  if (webSocket) {
    webSocket.accept();
    webSocket.close();
    return { status, retryAfter };
  }
  const { error } = await response.json<{ error: { code: string; message: string } }>();
  return { status, retryAfter, ...error };
}

/** How often each status was answered. */
function tally(answers: Answer[]): Record<number, number> {
  const counts: Record<number, number> = {};
  for (const { status } of answers) counts[status] = (counts[status] ?? 0) + 1;
  return counts;
}

describe("a token that is not good is a 401 that says why", () => {
  const refusal = async (token: string, headers = {}) =>
    answerTo(token, "one", { ...from("192.0.2.1"), ...headers });

  test("malformed, unknown, revoked, expired, not for instances", async () => {
    const revoked = await tokenOf();
    await revokeToken(env.DB, { id: revoked.row.id, userId: OWNER });
    const expired = await tokenOf(OWNER, { expiresAt: Date.now() - 1 });
    const other = await tokenOf(OWNER, { scopes: ["admin"] });
    for (const [token, message] of [
      ["", "This is no token of a hub, or a part of it is missing."],
      ["orc_x", "This is no token of a hub, or a part of it is missing."],
      [await createInstanceToken(), "This hub does not know the token."],
      [revoked.text, "The token was revoked."],
      [expired.text, "The token has expired."],
      [other.text, "The token is not for instances: it lacks the scope connect."],
    ] as const)
      expect(await refusal(token)).toEqual({ status: 401, retryAfter: null, code: "unauthorized", message });
  });

  test("a token counts only in its header, and only as a bearer's", async () => {
    const { text } = await tokenOf();
    for (const authorization of [text, `Basic ${text}`, `Bearer ${text} x`, `Bearer  ${text}x`])
      expect((await refusal("", { authorization })).status).toBe(401);
  });
});

describe("bad tokens", () => {
  test("of one place get exactly 20 answers, then wait; a good one beside them is let in all the while", async () => {
    const { text: good } = await tokenOf();
    const here = from("192.0.2.20");
    const bad = await createInstanceToken();
    const answers = await Promise.all(Array.from({ length: 50 }, () => answerTo(bad, "bad", here)));
    expect(tally(answers)).toEqual({ 401: 20, 429: 30 });
    for (const { status, retryAfter, code } of answers.filter((one) => one.status === 429)) {
      expect({ status, code }).toEqual({ status: 429, code: "rate_limited" });
      expect(Number(retryAfter)).toBeGreaterThan(590);
      expect(Number(retryAfter)).toBeLessThanOrEqual(600);
    }
    expect((await answerTo(good, "beside", here)).status).toBe(101);
    expect((await answerTo(bad, "bad", from("192.0.2.21"))).status).toBe(401);
  });

  test("from this machine count under one name", async () => {
    const answers: Answer[] = [];
    for (let count = 0; count < 25; count++) answers.push(await answerTo("orc_x", `local-${count}`));
    expect(tally(answers)).toEqual({ 401: 20, 429: 5 });
    expect((await answerTo((await tokenOf()).text, "local-good")).status).toBe(101);
  });

  test("cost no call of an object where the token is good", async () => {
    const getByName = vi.spyOn(env.RATE_LIMITER, "getByName");
    expect((await answerTo((await tokenOf()).text, "free", from("192.0.2.22"))).status).toBe(101);
    expect(getByName).not.toHaveBeenCalled();
    expect((await answerTo("orc_x", "free", from("192.0.2.22"))).status).toBe(401);
    expect(getByName).toHaveBeenCalledExactlyOnceWith("bad-token:192.0.2.22");
    getByName.mockRestore();
  });
});

describe("dials of one instance", () => {
  test("get exactly 20 sockets a minute, whatever the token and across evictions; another instance its own 20", async () => {
    const [one, two] = [await tokenOf(), await tokenOf()];
    const label = await instanceLabel(OWNER, "storm");
    const answers: Answer[] = [];
    for (let count = 0; count < 30; count++) {
      answers.push(await answerTo(count % 2 === 0 ? one.text : two.text, "storm"));
      if (count % 10 === 0) await evictDurableObject(env.TUNNEL.getByName(label));
    }
    expect(tally(answers)).toEqual({ 101: 20, 429: 10 });
    expect(answers.slice(0, 20).every(({ status }) => status === 101)).toBe(true);
    expect(answers.at(-1)).toMatchObject({ code: "rate_limited", message: "This instance dials too often." });
    expect(Number(answers.at(-1)?.retryAfter)).toBeGreaterThan(30);
    expect(Number(answers.at(-1)?.retryAfter)).toBeLessThanOrEqual(60);
    expect((await answerTo(one.text, "calm")).status).toBe(101);
    // A minute later.
    await runInDurableObject(env.TUNNEL.getByName(label), (_, { storage }) => {
      const times = storage.kv.get<number[]>("dials") ?? [];
      storage.kv.put(
        "dials",
        times.map((at) => at - 60_000),
      );
    });
    expect((await answerTo(one.text, "storm")).status).toBe(101);
  });

  test("are counted exactly when they come at once", async () => {
    const { text } = await tokenOf();
    const answers = await Promise.all(Array.from({ length: 40 }, () => answerTo(text, "at-once")));
    expect(tally(answers)).toEqual({ 101: 20, 429: 20 });
  });

  test("write a token's use down once, not at each", async () => {
    const { text, row } = await tokenOf();
    const prepare = vi.spyOn(env.DB, "prepare");
    for (let count = 0; count < 15; count++) await answerTo(text, "use", from("192.0.2.30"));
    const writes = prepare.mock.calls.filter(([sql]) => sql.startsWith("UPDATE tokens"));
    prepare.mockRestore();
    expect(writes).toHaveLength(1);
    const used = await env.DB.prepare("SELECT * FROM tokens WHERE id = ?").bind(row.id).first();
    expect(used).toMatchObject({ last_client_id: "use", last_ip: "192.0.2.30" });
  });

  test("that are refused leave no use behind", async () => {
    const { text, row } = await tokenOf();
    await runInDurableObject(env.TUNNEL.getByName(await instanceLabel(OWNER, "full")), (_, { storage }) =>
      storage.kv.put("dials", Array<number>(20).fill(Date.now())),
    );
    expect((await answerTo(text, "full")).status).toBe(429);
    expect(await env.DB.prepare("SELECT last_used_at FROM tokens WHERE id = ?").bind(row.id).first()).toEqual(
      {
        last_used_at: null,
      },
    );
  });
});

test("attempts of one place meet the edge before anything is read", async () => {
  const { text } = await tokenOf();
  const prepare = vi.spyOn(env.DB, "prepare");
  const here = { ...from("192.0.2.40"), upgrade: "" };
  const statuses = new Set<number>();
  for (let count = 0; count < 1300 && !statuses.has(429); count++)
    statuses.add((await dial(text, "edge", here)).status);
  expect([...statuses]).toEqual([426, 429]);
  const refused = await answerTo(text, "edge", from("192.0.2.40"));
  expect(refused).toMatchObject({ status: 429, code: "rate_limited", retryAfter: "60" });
  expect(prepare).not.toHaveBeenCalled();
  prepare.mockRestore();
});

describe("whose owner may not use the hub", () => {
  test("is told so, and to come back in five minutes; the UserHub decides where D1 does not know", async () => {
    await upsertUser(env.DB, { id: "github:404", login: "left", name: "Left" });
    const { text } = await tokenOf("github:404");
    const admission = vi.spyOn(UserHub.prototype, "admission");
    admission.mockResolvedValue({ admitted: false, reason: "not_a_member" });
    const refused = {
      status: 403,
      retryAfter: "300",
      code: "not_admitted",
      message: "The owner of the token may not use this hub now; when they sign in there, it says why.",
    };
    expect(await answerTo(text, "left")).toEqual(refused);
    expect(admission).toHaveBeenCalledTimes(1);
    await admit("github:404");
    expect((await answerTo(text, "left")).status).toBe(101);
    expect(admission).toHaveBeenCalledTimes(1);
    await env.DB.prepare("UPDATE admissions SET allowed = 0 WHERE user_id = 'github:404'").run();
    expect(await answerTo(text, "left")).toEqual(refused);
    admission.mockResolvedValue({ admitted: true, role: "member" });
    expect((await answerTo(text, "left")).status).toBe(101);
    expect(admission).toHaveBeenCalledTimes(3);
    admission.mockRestore();
  });

  test("reaches no Tunnel", async () => {
    await upsertUser(env.DB, { id: "github:405", login: "gone", name: "Gone" });
    const { text } = await tokenOf("github:405");
    const admission = vi.spyOn(UserHub.prototype, "admission");
    admission.mockResolvedValue({ admitted: false, reason: "unverified" });
    const getByName = vi.spyOn(env.TUNNEL, "getByName");
    expect((await answerTo(text, "gone")).status).toBe(403);
    expect(getByName).not.toHaveBeenCalled();
    await admit("github:405");
    expect((await answerTo(text, "gone")).status).toBe(101);
    expect(getByName).toHaveBeenCalledTimes(1);
    getByName.mockRestore();
    admission.mockRestore();
  });
});

describe("a token that is rotated", () => {
  const expiryAt = async (clientId: string) => {
    const tunnel = env.TUNNEL.getByName(await instanceLabel(OWNER, clientId));
    return runInDurableObject(tunnel, (_, { storage }) => storage.getAlarm());
  };

  test("between an instance's dial and its registration ends that connection, too, when its time is over", async () => {
    const { text, row } = await tokenOf();
    const socket = (await dial(text, "racing")).webSocket;
    socket?.accept();
    const at = Date.now() + 3_600_000;
    await env.USER_HUB.getByName(OWNER).tokenExpires(row.id, at);
    expect(await expiryAt("racing")).toBeNull();
    socket?.send(encodeControl(registerMessage("racing")));
    await expect.poll(() => expiryAt("racing")).toBe(at);
    socket?.close();
  });

  test("ends its connections and no others, at once where there is no overlap", async () => {
    const [old, other] = [await tokenOf(), await tokenOf()];
    const [first, second, third] = await Promise.all([
      connectFake(old.text, "rotated-1"),
      connectFake(old.text, "rotated-2"),
      connectFake(other.text, "unrotated"),
    ]);
    await expect
      .poll(async () => (await instancesOf(env.USER_HUB.getByName(OWNER))).length)
      .toBeGreaterThan(2);
    await env.USER_HUB.getByName(OWNER).tokenExpires(old.row.id, Date.now());
    expect(await Promise.all([first.closed, second.closed])).toEqual(["unauthorized", "unauthorized"]);
    expect(third.received.some(({ type }) => type === "go_away")).toBe(false);
  });
});
