import type { TokenRow } from "../db/tokens.ts";
import type { Env } from "../env.ts";
import { Command, connectCommand } from "./command.tsx";
import { Until } from "./time.tsx";

interface TokenCommandProps {
  env: Env;
  /** The text, which cannot be shown again. */
  token: string;
  row: TokenRow;
  /** Where it takes the place of another: until when that one works, milliseconds since the epoch. */
  oldExpiresAt?: number;
  now: number;
}

/** A token that was just made, as the command that uses it, or alone where it is not for instances. */
export function TokenCommand({ env, token, row, oldExpiresAt, now }: TokenCommandProps) {
  const connects = row.scopes.split(" ").includes("connect");
  return (
    <div class="token-command" id="new-token" role="status">
      <p>
        The token {connects ? "in this command" : "below"} is shown only now.
        {oldExpiresAt !== undefined && (
          <>
            {" "}
            Put it in the place of the one before, which stops working <Until at={oldExpiresAt} now={now} />.
          </>
        )}
      </p>
      <Command id="new-token-command" text={connects ? connectCommand(env, token) : token} />
    </div>
  );
}
