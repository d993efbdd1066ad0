/** `orchestrator connect` without a token: shows a code, waits for somebody to approve it, and keeps the token. */
import { once } from "node:events";
import type { InstanceMetadata } from "@ai-orchestrator/protocol";
import { isLoopbackHost } from "../loopback.ts";
import { pair, type PairingResult, type ShownPairing } from "../pairing.ts";
import { writeSettings } from "../settings-write.ts";
import { EXIT } from "./exit-codes.ts";
import { drawQrCode } from "./qr-code.ts";
import type { Terminal } from "./terminal.ts";

export interface PairAtTerminalOptions {
  url: string;
  clientId: string;
  metadata: InstanceMetadata;
  allowOtherUser: boolean;
  /** The config file, in which hub and token are kept. */
  file: string;
  /** False where no QR code shall be drawn. */
  qr: boolean;
  terminal: Terminal;
  /** Where Enter asks for a new code, if it is a terminal. */
  input: NodeJS.ReadStream;
  signal: AbortSignal;
}

/** The token, or the exit code where there is none. */
export async function pairAtTerminal(options: PairAtTerminalOptions): Promise<string | number> {
  const { url, terminal, input, signal } = options;
  for (;;) {
    terminal.say(`Asking ${url} for a token`);
    const result = await ask(options);
    if (result.kind === "aborted") return EXIT.ended;
    if (result.kind === "granted") return result.token;
    if (result.kind === "refused") {
      terminal.say(`No code from ${url}: ${result.message}`, "bad");
      terminal.say("Is that the address of your hub, as a browser opens it?");
      return EXIT.refused;
    }
    terminal.say(result.message, "bad");
    if (result.kind === "denied") return EXIT.refused;
    if (!input.isTTY) {
      terminal.say("For a new code run the same again.");
      return EXIT.refused;
    }
    terminal.say("Press Enter for a new code; Ctrl-C ends it.");
    if (!(await enterPressed(input, signal))) return EXIT.ended;
  }
}

async function ask(options: PairAtTerminalOptions): Promise<PairingResult> {
  const { url, clientId, metadata, allowOtherUser, terminal, signal, file } = options;
  // Told once in a row: a hub that is away for minutes is tried every few seconds.
  let told = "";
  let where: string | undefined;
  const result = await pair({
    url,
    clientId,
    metadata,
    allowOtherUser,
    signal,
    shown: (pairing) => {
      told = "";
      show(pairing, options);
    },
    lost: ({ message }) => {
      if (message !== told) terminal.say(`Not connected to ${url}: ${message}. Trying again`, "bad");
      told = message;
    },
    keep: async ({ token }) => {
      where = await keep(file, { url, token }, terminal);
    },
  });
  if (result.kind === "granted") {
    const by = result.user === undefined ? "" : ` by ${result.user}`;
    terminal.say(`Approved${by}${where === undefined ? "" : `. The token is kept in ${where}`}`, "good");
  }
  return result;
}

function show(
  { code, url, fingerprint, expiresInSeconds }: ShownPairing,
  options: PairAtTerminalOptions,
): void {
  const { terminal, qr } = options;
  terminal.say("");
  terminal.say(`  Code         ${code}`, "good");
  terminal.say(`  Fingerprint  ${fingerprint}`);
  terminal.say(`  Open         ${url}`);
  terminal.say("");
  const drawn = qr && leadsThereFromElsewhere(url) ? drawQrCode(url) : [];
  if (terminal.draw(drawn)) terminal.say("");
  const minutes = Math.max(1, Math.round(expiresInSeconds / 60));
  terminal.say(`Approve it there if the page shows the same fingerprint. Waiting for ${minutes} min`);
}

/** A phone has another loopback. */
function leadsThereFromElsewhere(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { hostname } = new URL(url);
  return !isLoopbackHost(hostname) && !hostname.endsWith(".localhost");
}

/** Where it is kept; undefined, having said so, where it could not be. */
async function keep(
  file: string,
  kept: { url: string; token: string },
  terminal: Terminal,
): Promise<string | undefined> {
  try {
    await writeSettings(file, { ...kept, enabled: true });
    return file;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    terminal.say(`Note: the token serves this time only, because it could not be kept: ${why}`, "bad");
    return undefined;
  }
}

/** False where `signal` came first. */
async function enterPressed(input: NodeJS.ReadStream, signal: AbortSignal): Promise<boolean> {
  try {
    await once(input, "data", { signal });
    return true;
  } catch {
    return false;
  } finally {
    input.pause();
  }
}
