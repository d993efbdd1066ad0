/** What the tokens page and the API do alike. */
import * as v from "valibot";
import { issueInstanceToken } from "../auth/token.ts";
import { countTokens, listTokens, revokeToken, type TokenRow } from "../db/tokens.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";

const MAX_TOKENS = 100;

const NewTokenSchema = v.object({ name: v.pipe(v.string(), v.trim(), v.minLength(1), v.maxLength(80)) });

/** Makes a token from an untrusted form or JSON body; throws `bad_request` or `too_many_tokens`. */
export async function makeToken(
  env: Env,
  userId: string,
  body: unknown,
): Promise<{ text: string; row: TokenRow }> {
  const parsed = v.safeParse(NewTokenSchema, body);
  if (!parsed.success)
    throw new HubError("bad_request", { message: "A token needs a name of 1 to 80 characters." });
  if ((await countTokens(env.DB, userId)) >= MAX_TOKENS) throw new HubError("too_many_tokens");
  return issueInstanceToken(env.DB, { userId, name: parsed.output.name });
}

/** Revokes a person's token and closes what is connected with it; throws `not_found`. */
export async function endToken(env: Env, userId: string, tokenId: string): Promise<void> {
  if (!(await revokeToken(env.DB, { id: tokenId, userId }))) throw new HubError("not_found");
  await env.USER_HUB.getByName(userId).tokenRevoked(tokenId);
}

export function tokensOf(env: Env, userId: string): Promise<TokenRow[]> {
  return listTokens(env.DB, userId);
}
