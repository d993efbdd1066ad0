import type { Env } from "../env.ts";
import { Command, connectCommand } from "./command.tsx";

/** A token that was just made, as the command that uses it. It cannot be shown again. */
export function TokenCommand({ env, token }: { env: Env; token: string }) {
  return (
    <div class="token-command" id="new-token" role="status">
      <p>The token in this command is shown only now.</p>
      <Command id="new-token-command" text={connectCommand(env, token)} />
    </div>
  );
}
