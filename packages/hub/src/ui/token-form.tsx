import { routes } from "../routes.ts";

/** What a form says of a token's life; the days are counted from now. */
const LIVES = [
  ["never", "never expires"],
  ["30", "expires in 30 days"],
  ["90", "expires in 90 days"],
  ["365", "expires in a year"],
  ["date", "expires after a day"],
] as const;

/** What makes a new token. Scopes are offered to those who may choose. */
export function TokenForm({ isAdmin, now }: { isAdmin: boolean; now: number }) {
  return (
    <form class="inline-form" id="token-form" method="post" action={routes.newToken}>
      <label for="token-name">Name</label>
      <input id="token-name" name="name" required maxlength={80} autocomplete="off" placeholder="laptop" />
      <select name="expires" aria-label="Expiry">
        {LIVES.map(([value, words]) => (
          <option value={value}>{words}</option>
        ))}
      </select>
      <input
        name="until"
        type="date"
        min={new Date(now).toISOString().slice(0, 10)}
        aria-label="Last day, in UTC"
        title="Last day, in UTC"
      />
      {isAdmin && (
        <select name="scopes" aria-label="Scopes">
          <option value="connect">connects</option>
          <option value="connect admin">connects and administers</option>
          <option value="admin">administers</option>
        </select>
      )}
      <button class="button primary" type="submit">
        Make a token
      </button>
    </form>
  );
}
