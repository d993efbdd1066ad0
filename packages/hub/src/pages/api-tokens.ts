import { Hono } from "hono";
import type { TokenRow } from "../db/tokens.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { endToken, makeToken, tokensOf } from "./token-actions.ts";

/** `GET` lists, `POST {"name"}` creates (the only answer with the token's text), `DELETE /:id` revokes. */
export const apiTokens = new Hono<HubContext>();

apiTokens.get(routes.apiTokens, async (c) => {
  const rows = await tokensOf(c.env, c.get("session").userId);
  return c.json({ tokens: rows.map(toJson) });
});

apiTokens.post(routes.apiTokens, async (c) => {
  const body: unknown = await c.req.json().catch(() => {
    throw new HubError("bad_request", { message: "The body is not JSON." });
  });
  const { text, row } = await makeToken(c.env, c.get("session").userId, body);
  return c.json({ ...toJson(row), token: text }, 201);
});

apiTokens.delete(`${routes.apiTokens}/:id`, async (c) => {
  await endToken(c.env, c.get("session").userId, c.req.param("id"));
  return c.body(null, 204);
});

function toJson(row: TokenRow) {
  return {
    id: row.id,
    name: row.name,
    hint: row.hint,
    created_at: new Date(row.created_at).toISOString(),
    last_used_at: row.last_used_at === null ? null : new Date(row.last_used_at).toISOString(),
    last_client_id: row.last_client_id,
  };
}
