/** `orchestrator status` and `orchestrator disconnect`: what the running connectors of this user say, and their end. */
import { askRunning } from "../local-control-ask.ts";
import type { Running } from "../local-control-messages.ts";
import { settingsFolder } from "../settings-folder.ts";
import { writeSettings } from "../settings-write.ts";
import { inspectSettings, type Flags } from "../settings.ts";
import { EXIT } from "./exit-codes.ts";
import type { Terminal, Tone } from "./terminal.ts";

const NONE = "No connector of yours runs on this machine.";

interface Place {
  env: NodeJS.ProcessEnv;
  terminal: Terminal;
}

/** Resolves to the exit code: 3 where none runs. */
export async function showStatus({ env, terminal }: Place, asJson: boolean): Promise<number> {
  const { running, problems } = await askRunning(settingsFolder(env), "status");
  if (asJson) terminal.print(`${JSON.stringify({ running, problems }, null, 2)}\n`);
  else {
    for (const one of running) describe(one, terminal);
    if (running.length === 0) terminal.say(NONE);
    for (const problem of problems) terminal.say(problem, "bad");
  }
  return running.length === 0 ? EXIT.notFound : EXIT.ended;
}

/**
 * True, having said so, where a connector of this user connects the same instance already: a second one would take its place, and
 * end it for good.
 */
export async function isConnectedAlready(
  { env, terminal }: Place,
  { url, clientId }: { url: string; clientId: string },
): Promise<boolean> {
  const { running } = await askRunning(settingsFolder(env), "status");
  const same = running.find(
    (one) =>
      one.clientId === clientId &&
      one.state !== "stopped" &&
      URL.canParse(one.hub) &&
      isSameHub(one.hub, url),
  );
  if (same === undefined) return false;
  terminal.say("A connector of yours does that already:");
  describe(same, terminal);
  terminal.say("To start another, end it where it runs, or with orchestrator disconnect.");
  return true;
}

function isSameHub(one: string, other: string): boolean {
  return new URL(one).origin === new URL(other).origin;
}

/** Ends all that run, and keeps those from connecting that start later: until `orchestrator connect`. */
export async function disconnect(
  { env, terminal }: Place,
  { flags, forget }: { flags: Flags; forget: boolean },
): Promise<number> {
  const { file, origins, settings, isDisabledInFile } = inspectSettings({ flags, env });
  const { running, problems } = await askRunning(settingsFolder(env), "disconnect");
  for (const { target, hub, embedded } of running) {
    const rest = embedded ? "; the program it is part of keeps running" : "";
    terminal.say(`Disconnected ${target} from ${hub}${rest}`);
  }
  if (running.length === 0) terminal.say(NONE);
  for (const problem of problems) terminal.say(problem, "bad");
  if (!(await keepsAway(file, forget, terminal))) return EXIT.unexpected;
  if (!isDisabledInFile) terminal.say(`It stays so (${file}) until: orchestrator connect`);
  if (forget) terminal.say("The token is forgotten here; the hub's page for tokens revokes it.");
  if (settings.mode === "client" && origins.mode?.kind === "environment")
    terminal.say(
      `Note: ${origins.mode.written}=client goes before the config file, so what starts with it connects`,
    );
  return problems.length > 0 ? EXIT.unexpected : EXIT.ended;
}

/** Writes down that nothing connects by itself; false, having said so, where that cannot be. */
async function keepsAway(file: string, forget: boolean, terminal: Terminal): Promise<boolean> {
  try {
    await writeSettings(file, { enabled: false, ...(forget && { token: null }) });
    return true;
  } catch (error) {
    const { message } = error instanceof Error ? error : new Error(String(error));
    const kept = forget ? " The token is still there." : "";
    terminal.say(`${file} could not be written: ${message}. What starts later connects again.${kept}`, "bad");
    return false;
  }
}

function describe(running: Running, terminal: Terminal): void {
  const { text, tone } = STATES[running.state];
  const what = running.embedded ? `process ${running.pid}, embedded` : `process ${running.pid}`;
  const where = running.state === "connected" && running.url !== undefined ? ` at ${running.url}` : "";
  terminal.say(`${running.target}: ${text}${where} ${sinceWhen(running.since)}`, tone);
  terminal.say(`  hub ${running.hub}, as ${running.clientId}; ${what}`, "quiet");
  if (running.reason !== undefined) terminal.say(`  ${running.reason}`, "quiet");
  if (running.state !== "connected") return;
  const waits = running.needsPerson > 0 ? `; ${running.needsPerson} waiting for you` : "";
  terminal.say(`  ${running.status}${waits}`, "quiet");
}

const STATES: Record<Running["state"], { text: string; tone: Tone }> = {
  starting: { text: "starting", tone: "plain" },
  connecting: { text: "connecting", tone: "plain" },
  connected: { text: "connected", tone: "good" },
  waiting: { text: "not connected, trying again", tone: "bad" },
  sent_away: { text: "sent away by its owner", tone: "bad" },
  stopped: { text: "stopped by the hub", tone: "bad" },
};

function sinceWhen(since: number): string {
  const minutes = Math.floor((Date.now() - since) / 60_000);
  if (minutes < 1) return "for less than a minute";
  if (minutes < 60) return `for ${minutes} min`;
  const hours = Math.floor(minutes / 60);
  return hours < 48 ? `for ${hours} h` : `for ${Math.floor(hours / 24)} days`;
}
