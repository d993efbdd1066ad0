/** Says what happens to the connection, a line for each thing. */
import type { OrchestratorClient } from "../client.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal } from "./terminal.ts";

/** Reports until the hub says to stay away; resolves then, to the exit code for it. */
export function report(client: OrchestratorClient, terminal: Terminal): Promise<number> {
  let before = "";
  client.on("connected", ({ url }) => {
    terminal.say(`${before === "" ? "Connected" : "Connected again"}: ${url}`, "good");
    before = "connected";
  });
  client.on("disconnected", ({ code, message, retryMs }) => {
    const what = before === "connected" ? "Connection lost" : "No connection";
    const line = `${what}: ${withoutDot(message || code)}`;
    // Attempts that fail the same way are one event, not one each.
    if (line !== before)
      terminal.say(`${line}. Trying again ${inSeconds(retryMs)}, and until it works.`, "bad");
    before = line;
  });
  client.on("warning", ({ message }) => terminal.say(`Note: ${message}`));
  let shown = "";
  client.on("status", ({ status, needsPerson }) => {
    const line = `Status: ${status}${needsPerson > 0 ? `, ${needsPerson} ${needsPerson === 1 ? "needs" : "need"} you` : ""}`;
    // A session that changes without changing the word is no news here.
    if (line !== shown) terminal.say(line, "quiet");
    shown = line;
  });
  return new Promise((resolve) => {
    client.once("stopped", ({ code, message }) => {
      terminal.say(
        `Stopped by the hub: ${withoutDot(message || code)}. ${NEXT_STEP[code] ?? "Start again to connect again."}`,
        "bad",
      );
      resolve(EXIT.refused);
    });
  });
}

const NEXT_STEP: Record<string, string> = {
  unauthorized: "Check ORCHESTRATOR_TOKEN, or make a new token on the hub's page for tokens.",
  token_revoked: "Make a new token on the hub's page for tokens.",
  replaced: "Another connector with this id took over; give one of them another --client-id.",
  disconnected: "Its owner disconnected it; start again to connect again.",
  unsupported_version: "Hub and connector speak different versions; update the older one.",
};

function inSeconds(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 1) return "at once";
  return seconds < 120 ? `in ${seconds} s` : `in ${Math.round(seconds / 60)} min`;
}

/** Hubs say sentences; here they stand inside one. */
function withoutDot(message: string): string {
  return message.replace(/\.$/, "");
}
