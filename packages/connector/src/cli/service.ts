import { EXIT } from "./exit-codes.ts";
import type { ServiceAction } from "./arguments.ts";
import type { Flags } from "../settings.ts";
import type { Terminal } from "./terminal.ts";

/** `orchestrator service`. */
export function service(
  action: ServiceAction,
  { terminal }: { flags: Flags; env: NodeJS.ProcessEnv; terminal: Terminal },
): number {
  terminal.say(`orchestrator service ${action}: this version cannot do that yet`, "bad");
  return EXIT.wrongUse;
}
