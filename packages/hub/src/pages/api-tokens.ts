import { Hono, type Context } from "hono";
import { parseScopes } from "../auth/token.ts";
import type { TokenRow } from "../db/tokens.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { endToken, makeToken, rotateToken, tokensOf, type Actor } from "./token-actions.ts";

/**
 * `GET` lists, `POST {"name", "expires_at"?, "scopes"?}` creates, `POST /:id/rotate {"overlap_seconds"?}` replaces,
 * `DELETE /:id` revokes. Only the answers to the `POST`s hold a token's text. docs/tokens.md says the same for people.
 */
export const apiTokens = new Hono<HubContext>();

apiTokens.get(routes.apiTokens, async (c) => {
  const rows = await tokensOf(actorOf(c));
  return c.json({ tokens: rows.map(toJson) });
});

apiTokens.post(routes.apiTokens, async (c) => {
  const { text, row } = await makeToken(actorOf(c), parseJson(await c.req.text()));
  return c.json({ ...toJson(row), token: text }, 201);
});

apiTokens.post(routes.rotateApiToken(":id"), async (c) => {
  const text = await c.req.text();
  const made = await rotateToken(actorOf(c), c.req.param("id") ?? "", text === "" ? {} : parseJson(text));
  const replaced = { id: c.req.param("id"), expires_at: isoTime(made.oldExpiresAt) };
  return c.json({ ...toJson(made.row), token: made.text, replaced }, 201);
});

apiTokens.delete(routes.apiToken(":id"), async (c) => {
  await endToken(actorOf(c), c.req.param("id") ?? "");
  return c.body(null, 204);
});

function actorOf(c: Context<HubContext>): Actor {
  return { env: c.env, session: c.get("session"), request: c.req.raw };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new HubError("bad_request", { message: "The body is not JSON." });
  }
}

function toJson(row: TokenRow) {
  return {
    id: row.id,
    name: row.name,
    hint: row.hint,
    scopes: parseScopes(row.scopes),
    created_at: isoTime(row.created_at),
    expires_at: isoTime(row.expires_at),
    last_used_at: isoTime(row.last_used_at),
    last_client_id: row.last_client_id,
    last_ip: row.last_ip,
    last_place: row.last_place,
    replaced_by: row.replaced_by,
  };
}

function isoTime(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
