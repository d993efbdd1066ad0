import { env } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { listTokens, revokeToken } from "../db/tokens.ts";
import { upsertUser } from "../db/users.ts";
import { createInstanceToken, issueInstanceToken, recordTokenUse, verifyInstanceToken } from "./token.ts";

beforeAll(async () => {
  await upsertUser(env.DB, { id: "ann", login: "ann", name: "Ann" });
});

test("a token is recognised by its prefix and its length, and no two are alike", async () => {
  const tokens = await Promise.all(Array.from({ length: 50 }, createInstanceToken));
  expect(new Set(tokens).size).toBe(50);
  for (const token of tokens) expect(token).toMatch(/^orc_[A-Za-z0-9_-]{49}$/);
});

test("a token says whose it is until it is revoked", async () => {
  const { text, row } = await issueInstanceToken(env.DB, { userId: "ann", name: "laptop" });
  expect(await verifyInstanceToken(env.DB, text)).toEqual({ tokenId: row.id, userId: "ann" });
  expect(await revokeToken(env.DB, { id: row.id, userId: "eve" })).toBe(false);
  expect(await revokeToken(env.DB, { id: row.id, userId: "ann" })).toBe(true);
  expect(await verifyInstanceToken(env.DB, text)).toBeNull();
  expect(await revokeToken(env.DB, { id: row.id, userId: "ann" })).toBe(false);
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
    expect(await verifyInstanceToken(noDatabase, wrong)).toBeNull();
  }
});

test("a dump of the database holds no token", async () => {
  const { text, row } = await issueInstanceToken(env.DB, { userId: "ann", name: "laptop" });
  const { results } = await env.DB.prepare("SELECT * FROM tokens WHERE id = ?").bind(row.id).all();
  expect(results).toHaveLength(1);
  expect(JSON.stringify(results)).not.toContain(text.slice(4, 40));
  expect(await verifyInstanceToken(env.DB, String(results[0]?.["secret_hash"]))).toBeNull();
});

test("a use is remembered with the instance it was for", async () => {
  const { row } = await issueInstanceToken(env.DB, { userId: "ann", name: "pi" });
  await recordTokenUse(env.DB, row.id, "client-7", 1234);
  const tokens = await listTokens(env.DB, "ann");
  expect(tokens.find(({ id }) => id === row.id)).toMatchObject({
    last_used_at: 1234,
    last_client_id: "client-7",
  });
});
