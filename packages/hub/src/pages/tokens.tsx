import { Hono, type Context } from "hono";
import type { Child } from "hono/jsx";
import * as v from "valibot";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { Command, pairCommand } from "../ui/command.tsx";
import { Layout } from "../ui/layout.tsx";
import { TokenCommand } from "../ui/token-command.tsx";
import { TokenForm } from "../ui/token-form.tsx";
import { TokenList } from "../ui/token-list.tsx";
import { readForm } from "./form.ts";
import { endToken, makeToken, rotateToken, tokensOf, type Actor, type NewToken } from "./token-actions.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export const tokenPages = new Hono<HubContext>();

tokenPages.get(routes.tokens, (c) => showTokens(c));

tokenPages.post(routes.newToken, async (c) => {
  const made = await makeToken(actorOf(c), bodyOf(await readForm(c)));
  return showNew(c, made);
});

tokenPages.post(routes.rotateToken(":id"), async (c) => {
  const made = await rotateToken(actorOf(c), c.req.param("id") ?? "", {});
  return showNew(c, made);
});

tokenPages.post(routes.revokeToken(":id"), async (c) => {
  await endToken(actorOf(c), c.req.param("id") ?? "");
  return c.redirect(routes.tokens, 303);
});

function actorOf(c: Context<HubContext>): Actor {
  return { env: c.env, session: c.get("session"), request: c.req.raw };
}

const text = v.optional(v.fallback(v.string(), ""), "");
const FormSchema = v.object({ name: text, expires: text, until: text, scopes: text });

/** The form's fields as the API takes them, whose rules then hold for both. */
function bodyOf(form: Record<string, unknown>): unknown {
  const { name, expires, until, scopes } = v.parse(FormSchema, form);
  return {
    name,
    expires_at: expiryOf(expires, until),
    ...(scopes === "" ? {} : { scopes: scopes.split(" ") }),
  };
}

function expiryOf(expires: string, until: string): string | null {
  if (expires === "" || expires === "never") return null;
  if (expires === "date") return `${until}T23:59:59Z`;
  return /^\d{1,4}$/.test(expires) ? new Date(Date.now() + Number(expires) * DAY_MS).toISOString() : expires;
}

/** The page with the new token, or its piece alone where a page asked for it. */
function showNew(c: Context<HubContext>, made: NewToken & { oldExpiresAt?: number }) {
  const { text: token, row, oldExpiresAt } = made;
  const replaced = oldExpiresAt === undefined ? {} : { oldExpiresAt };
  const command = <TokenCommand env={c.env} token={token} row={row} now={Date.now()} {...replaced} />;
  return c.req.header("hx-request") === "true" ? c.html(command) : showTokens(c, command);
}

async function showTokens(c: Context<HubContext>, news?: Child) {
  const session = c.get("session");
  const now = Date.now();
  const tokens = await tokensOf({ env: c.env, session });
  return c.html(
    <Layout title="Tokens · Orchestrator" session={session} current="tokens" now={now}>
      <main class="page">
        <h1>Tokens</h1>
        <p>
          An instance proves with a token that it is yours. Revoking one closes what is connected with it.
        </p>
        <p>
          You need not make one: run this where Claude Code's web UI runs, and{" "}
          <a href={routes.pair}>approve the code</a> that it shows. It gets a token of its own.
        </p>
        <Command id="pair-command" text={pairCommand(c.env)} />
        {news}
        <TokenForm isAdmin={session.role === "admin"} now={now} />
        <TokenList tokens={tokens} now={now} />
      </main>
    </Layout>,
  );
}
