import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import docs from "../../../../docs/tokens.md?raw";
import { listTokens, revokeToken } from "../db/tokens.ts";
import { upsertUser } from "../db/users.ts";
import { sha256 } from "../secrets.ts";
import type { RequestPlace } from "./request-place.ts";
import { createInstanceToken, issueInstanceToken, recordTokenUse, verifyInstanceToken } from "./token.ts";

beforeAll(async () => {
  await upsertUser(env.DB, { id: "ann", login: "ann", name: "Ann" });
});

test("a token is recognised by its prefix and its length, and no two are alike", async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, createInstanceToken));
  expect(new Set(tokens).size).toBe(50);
  for (const token of tokens) expect(token).toMatch(/^orc_[A-Za-z0-9_-]{49}$/);
});

test("what scanners are told to look for is found, alone and in text, and nothing that is longer", async () => {
  const pattern = /^\(\?<!.*orc_.*$/m.exec(docs)?.[0] ?? "";
  const scanner = new RegExp(pattern, "g");
  const tokens = await Promise.all(Array.from({ length: 50 }, createInstanceToken));
  for (const token of tokens) {
    expect(`ORCHESTRATOR_TOKEN="${token}" x`.match(scanner)).toEqual([token]);
    expect(`${token}x a${token} ${token.slice(0, -1)}`.match(scanner)).toBeNull();
    const checksum = (await sha256(`orchestrator-token:${token.slice(0, -6)}`)).slice(0, 6);
    expect(token.slice(-6)).toBe(checksum);
  }
});

test("a token says whose it is until it is revoked", async () => {
  const { text, row } = await issueInstanceToken(env.DB, { userId: "ann", name: "laptop" });
  expect(await verifyInstanceToken(env.DB, text)).toEqual({
    ok: {
      tokenId: row.id,
      userId: "ann",
      login: "ann",
      scopes: ["connect"],
      expiresAt: null,
      admission: null,
      lastUse: null,
    },
  });
  expect(await revokeToken(env.DB, { id: row.id, userId: "eve" })).toBeNull();
  expect(await revokeToken(env.DB, { id: row.id, userId: "ann" }, 7)).toMatchObject({ revoked_at: 7 });
  expect(await verifyInstanceToken(env.DB, text)).toEqual({ refused: "revoked" });
  expect(await revokeToken(env.DB, { id: row.id, userId: "ann" }, 8)).toMatchObject({ revoked_at: 7 });
});

test("a mistyped or foreign token is refused without asking the database", async () => {
  const { text } = await issueInstanceToken(env.DB, { userId: "ann", name: "laptop" });
  const other = text.endsWith("A") ? "B" : "A";
  const noDatabase = {} as D1Database;
  for (const wrong of [
    "",
    "orc_",
    text.slice(0, -1),
    `${text}x`,
    `${text.slice(0, -1)}${other}`,
    `x${text}`,
  ]) {
    expect(await verifyInstanceToken(noDatabase, wrong)).toEqual({ refused: "malformed" });
  }
});

test("nothing in a dump of the database is a token", async () => {
  const { text, row } = await issueInstanceToken(env.DB, { userId: "ann", name: "laptop" });
  const { results } = await env.DB.prepare("SELECT * FROM tokens WHERE id = ?").bind(row.id).all();
  expect(results).toHaveLength(1);
  expect(JSON.stringify(results)).not.toContain(text.slice(4, 40));
  for (const [column, value] of Object.entries(results[0] ?? {})) {
    const made = `orc_${String(value)}`;
    for (const tried of [
      String(value),
      made,
      `${made}${(await sha256(`orchestrator-token:${made}`)).slice(0, 6)}`,
    ])
      expect([column, await verifyInstanceToken(env.DB, tried)]).toEqual([
        column,
        { refused: expect.stringMatching(/^(malformed|unknown)$/) as string },
      ]);
  }
});

test("a token works until it expires, to the millisecond", async () => {
  const token = { userId: "ann", name: "short", expiresAt: 10_000 };
  const { text } = await issueInstanceToken(env.DB, token, 5_000);
  expect(await verifyInstanceToken(env.DB, text, 9_999)).toMatchObject({ ok: { expiresAt: 10_000 } });
  expect(await verifyInstanceToken(env.DB, text, 10_000)).toEqual({ refused: "expired" });
});

test("a token says what is known of its owner's admission", async () => {
  await upsertUser(env.DB, { id: "github:7", login: "cy", name: "Cy" });
  const { text } = await issueInstanceToken(env.DB, {
    userId: "github:7",
    name: "x",
    scopes: ["connect", "admin"],
  });
  await env.DB.prepare("INSERT INTO admissions VALUES ('github:7', '{}', 5, 6, 1, 'admin', 'user cy')").run();
  expect(await verifyInstanceToken(env.DB, text)).toMatchObject({
    ok: {
      login: "cy",
      scopes: ["connect", "admin"],
      admission: { allowed: true, checkedAt: 5, role: "admin" },
    },
  });
});

test("a use is written down with the instance and the place it was for, and again only where that is news", async () => {
  const { text, row } = await issueInstanceToken(env.DB, { userId: "ann", name: "pi" });
  const home = { ip: "192.0.2.1", place: "Bern, CH" };
  const use = async (clientId: string, from: RequestPlace, now: number) => {
    const verified = await verifyInstanceToken(env.DB, text);
    if ("refused" in verified) throw new Error(verified.refused);
    await recordTokenUse(env.DB, verified.ok, { clientId, from }, now);
    const [after] = (await listTokens(env.DB, "ann")).filter(({ id }) => id === row.id);
    return [after?.last_used_at, after?.last_client_id, after?.last_ip];
  };
  const minute = 60_000;
  expect(await use("client-7", home, minute)).toMatchObject([minute, "client-7", "192.0.2.1"]);
  for (let dial = 1; dial < 50; dial++) expect((await use("client-7", home, minute + dial))[0]).toBe(minute);
  expect((await use("client-7", home, 11 * minute - 1))[0]).toBe(minute);
  expect((await use("client-7", home, 11 * minute))[0]).toBe(11 * minute);
  expect((await use("client-8", home, 11 * minute + 1)).slice(0, 2)).toEqual([11 * minute + 1, "client-8"]);
  expect((await use("client-8", { ip: null, place: null }, 11 * minute + 2)).slice(0, 3)).toEqual([
    11 * minute + 2,
    "client-8",
    null,
  ]);
});
