/** Prints what happens to the connection, a line for each thing. */
import type { OrchestratorClientEvents } from "../client-contract.ts";
import type { OrchestratorClient } from "../client.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal, Tone } from "./terminal.ts";

type Kind = OrchestratorClientEvents["log"][0]["kind"];

const TONES: Record<Kind, Tone> = {
  connecting: "plain",
  connected: "good",
  lost: "bad",
  sent_away: "bad",
  stopped: "bad",
  note: "plain",
  status: "quiet",
};

/** Reports until the hub says to stay away; resolves then, to the exit code for it. */
export function report(client: OrchestratorClient, terminal: Terminal): Promise<number> {
  client.on("log", ({ kind, text }) => {
    // What only somebody at this terminal can do.
    const line = kind === "sent_away" ? text.replace(/\.$/, "; Ctrl-C ends it.") : text;
    terminal.say(line, TONES[kind]);
  });
  return new Promise((resolve) => {
    client.once("stopped", ({ code }) => {
      if (code === "unauthorized" || code === "token_revoked")
        terminal.say("For a new token: orchestrator connect --pair");
      resolve(EXIT.refused);
    });
  });
}
