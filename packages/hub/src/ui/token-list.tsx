import type { TokenRow } from "../db/tokens.ts";
import { routes } from "../routes.ts";
import { Since, Until } from "./time.tsx";

/** What expires sooner than this many milliseconds is marked. */
const SOON_MS = 7 * 24 * 60 * 60_000;

interface TokenListProps {
  tokens: TokenRow[];
  now: number;
}

/** A person's tokens: what each is for, where it was last used, how long it works, and what can be done about it. */
export function TokenList({ tokens, now }: TokenListProps) {
  if (tokens.length === 0) return <p class="hint">There is no token yet.</p>;
  return (
    <ul class="rows">
      {tokens.map((token) => (
        <TokenLine token={token} now={now} />
      ))}
    </ul>
  );
}

function TokenLine({ token, now }: { token: TokenRow; now: number }) {
  return (
    <li data-token={token.id}>
      <p>
        <b>
          <bdi>{token.name}</bdi>
        </b>
        {token.scopes.split(" ").map((scope) => scope !== "connect" && <span class="mark">{scope}</span>)}
        <StateMark token={token} now={now} />
      </p>
      <p class="hint">
        <LastUse token={token} now={now} /> · <Expiry token={token} now={now} /> · made{" "}
        <Since at={token.created_at} now={now} ago /> · ends in <code>{token.hint}</code>
      </p>
      <Actions token={token} />
    </li>
  );
}

function StateMark({ token, now }: { token: TokenRow; now: number }) {
  const { expires_at: expiresAt, replaced_by: replacedBy } = token;
  if (replacedBy !== null) return <span class="mark">replaced</span>;
  if (expiresAt === null || expiresAt > now + SOON_MS) return null;
  return <span class="mark due">{expiresAt > now ? "expires soon" : "expired"}</span>;
}

function LastUse({ token, now }: { token: TokenRow; now: number }) {
  if (token.last_used_at === null) return <>never used</>;
  const from = [token.last_place, token.last_ip].filter((part) => part !== null).join(", ");
  return (
    <>
      last used <Since at={token.last_used_at} now={now} ago />
      {token.last_client_id !== null && (
        <>
          {" "}
          by <bdi>{token.last_client_id}</bdi>
        </>
      )}
      {from !== "" && ` from ${from}`}
    </>
  );
}

function Expiry({ token: { expires_at: at }, now }: { token: TokenRow; now: number }) {
  if (at === null) return <>never expires</>;
  if (at > now)
    return (
      <>
        expires <Until at={at} now={now} />
      </>
    );
  return (
    <>
      expired <Since at={at} now={now} ago />
    </>
  );
}

function Actions({ token }: { token: TokenRow }) {
  return (
    <div>
      {token.replaced_by === null && (
        <form
          method="post"
          action={routes.rotateToken(token.id)}
          data-confirm={`Rotate “${token.name}”? A new token takes its place; this one works for one more day.`}
        >
          <button class="plain" type="submit">
            Rotate
          </button>
        </form>
      )}
      <form
        method="post"
        action={routes.revokeToken(token.id)}
        data-confirm={`Revoke “${token.name}”? What is connected with it is closed.`}
      >
        <button class="plain danger" type="submit">
          Revoke
        </button>
      </form>
    </div>
  );
}
