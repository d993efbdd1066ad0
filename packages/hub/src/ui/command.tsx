import type { Env } from "../env.ts";

/** A command to run elsewhere, with a button that copies it. */
export function Command({ id, text }: { id: string; text: string }) {
  return (
    <div class="command">
      <pre tabindex={0}>
        <code id={id}>{text}</code>
      </pre>
      <button class="button" type="button" data-copy={id}>
        Copy
      </button>
    </div>
  );
}

type Commands = Pick<Env, "HUB_ORIGIN" | "CONNECT_COMMAND">;

const PUBLISHED = "npx @ai-orchestrator/connector";

/** What is run on an instance's machine to connect it: it shows a code, which a person approves here. */
export function pairCommand({ HUB_ORIGIN, CONNECT_COMMAND = PUBLISHED }: Commands): string {
  return `${CONNECT_COMMAND} connect ${HUB_ORIGIN}`;
}

/**
 * The same with a token, for where nobody can approve. The token stands in the environment: command lines can be read by
 * every user of a machine.
 */
export function connectCommand({ HUB_ORIGIN, CONNECT_COMMAND = PUBLISHED }: Commands, token: string): string {
  return `ORCHESTRATOR_TOKEN=${token} ${CONNECT_COMMAND} connect --url ${HUB_ORIGIN}`;
}
