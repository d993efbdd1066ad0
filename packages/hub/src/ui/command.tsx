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

/** The same without the button, while something in it is still to be filled in. */
export function CommandOutline({ text }: { text: string }) {
  return (
    <div class="command">
      <pre tabindex={0}>
        <code>{text}</code>
      </pre>
    </div>
  );
}

/**
 * What is run on an instance's machine to connect it. The token stands in the environment: command lines can be read by
 * every user of a machine.
 */
export function connectCommand(
  {
    HUB_ORIGIN,
    CONNECT_COMMAND = "npx @ai-orchestrator/connector",
  }: Pick<Env, "HUB_ORIGIN" | "CONNECT_COMMAND">,
  token: string,
): string {
  return `ORCHESTRATOR_TOKEN=${token} ${CONNECT_COMMAND} connect --url ${HUB_ORIGIN}`;
}
