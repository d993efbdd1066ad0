import { Hono } from "hono";
import type { Session } from "../auth/session.ts";
import type { TokenRow } from "../db/tokens.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { Layout } from "../ui/layout.tsx";
import { Since } from "../ui/time.tsx";
import { TokenCommand } from "../ui/token-command.tsx";
import { endToken, makeToken, tokensOf } from "./token-actions.ts";

export const tokenPages = new Hono<HubContext>();

tokenPages.get(routes.tokens, async (c) => {
  const session = c.get("session");
  const tokens = await tokensOf(c.env, session.userId);
  return c.html(<TokensPage session={session} tokens={tokens} now={Date.now()} />);
});

tokenPages.post(routes.newToken, async (c) => {
  const session = c.get("session");
  const { text } = await makeToken(c.env, session.userId, await c.req.parseBody());
  const command = <TokenCommand env={c.env} token={text} />;
  if (c.req.header("hx-request") === "true") return c.html(command);
  const tokens = await tokensOf(c.env, session.userId);
  return c.html(
    <TokensPage session={session} tokens={tokens} now={Date.now()}>
      {command}
    </TokensPage>,
  );
});

tokenPages.post(routes.revokeToken(":id"), async (c) => {
  await endToken(c.env, c.get("session").userId, c.req.param("id") ?? "");
  return c.redirect(routes.tokens, 303);
});

interface TokensPageProps {
  session: Session;
  tokens: TokenRow[];
  now: number;
  children?: unknown;
}

function TokensPage({ session, tokens, now, children }: TokensPageProps) {
  return (
    <Layout title="Tokens · Orchestrator" session={session} current="tokens" now={now}>
      <main class="page">
        <h1>Tokens</h1>
        <p>
          An instance proves with a token that it is yours. Revoking one closes what is connected with it.
        </p>
        {children}
        <form class="inline-form" id="token-form" method="post" action={routes.newToken}>
          <label for="token-name">Name</label>
          <input
            id="token-name"
            name="name"
            required
            maxlength={80}
            autocomplete="off"
            placeholder="laptop"
          />
          <button class="button primary" type="submit">
            Make a token
          </button>
        </form>
        <TokenTable tokens={tokens} now={now} />
      </main>
    </Layout>
  );
}

function TokenTable({ tokens, now }: { tokens: TokenRow[]; now: number }) {
  if (tokens.length === 0) return <p class="hint">There is no token yet.</p>;
  return (
    <div class="table-scroll">
      <table class="table">
        <thead>
          <tr>
            <th scope="col">Name</th>
            <th scope="col">Ends in</th>
            <th scope="col">Made</th>
            <th scope="col">Last used</th>
            <th scope="col">
              <span class="visually-hidden">Actions</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {tokens.map((token) => (
            <TokenLine token={token} now={now} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function TokenLine({ token, now }: { token: TokenRow; now: number }) {
  return (
    <tr>
      <th scope="row">
        <bdi>{token.name}</bdi>
      </th>
      <td>
        <code>…{token.hint}</code>
      </td>
      <td>
        <Since at={token.created_at} now={now} ago />
      </td>
      <td>{token.last_used_at === null ? "never" : <Since at={token.last_used_at} now={now} ago />}</td>
      <td>
        <form
          method="post"
          action={routes.revokeToken(token.id)}
          data-confirm={`Revoke “${token.name}”? What is connected with it is closed.`}
        >
          <button class="plain danger" type="submit">
            Revoke
          </button>
        </form>
      </td>
    </tr>
  );
}
