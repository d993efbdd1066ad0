/** What a version 1 client hears before its socket is closed by the hub. */
import { version1, type ConnectionErrorCode } from "@ai-orchestrator/protocol";

/** Only a person can help: a client that hears `registered` without success gives up. Anything else has it dial again. */
const FOR_GOOD: ReadonlySet<ConnectionErrorCode> = new Set([
  "unauthorized",
  "token_revoked",
  "unsupported_version",
]);

/** The last message for this end of a connection, as text. */
export function farewell(code: ConnectionErrorCode, message: string): string {
  if (FOR_GOOD.has(code)) return version1.encodeMessage({ type: "registered", success: false, message });
  if (code === "disconnected") return version1.encodeMessage({ type: "command", command: "disconnect" });
  return version1.encodeMessage({ type: "error", message });
}
