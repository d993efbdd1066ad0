/** `npm start` and `npm run demo`: the hub on this machine, until Ctrl-C. */
import { createInterface } from "node:readline";
import { findClaudecodeui } from "@ai-orchestrator/connector";
import {
  createLocalUser,
  createSetupLink,
  createSignInLink,
  keepAdminToken,
  machineToken,
} from "./account.ts";
import { keepAttached } from "./attach.ts";
import { build } from "./build.ts";
import { claudecodeuiCommand } from "./claudecodeui.ts";
import { startDemo } from "./demo.ts";
import { openHub, type Hub } from "./hub.ts";
import { parsePort, requireFreePort } from "./port.ts";
import { endLeftovers, findRunningHub, forgetRun, noteRun } from "./run-record.ts";
import { say, showHowToAttach, showNewLink, showSetup, showWelcome, warn } from "./screen.ts";
import { settingsFrom } from "./settings.ts";
import { waitForEndRequest } from "./signals.ts";
import { hubSecret, prepareStateFolder, stateFolder } from "./state.ts";

/** What is to be ended, in the order it was started. */
type Closing = (() => Promise<void> | void)[];

interface Run {
  port: number;
  folder: string;
  closing: Closing;
  signal: AbortSignal;
}

/** Runs until a signal asks for the end; resolves with the exit code when everything it started has ended. */
export async function start(options: { demo: boolean }): Promise<number> {
  const request = waitForEndRequest();
  const closing: Closing = [];
  let code = 0;
  try {
    await open({ ...settings(), closing, signal: request.signal }, options.demo);
    await request.received;
  } catch (error) {
    if (!request.signal.aborted) {
      warn(error instanceof Error ? error.message : String(error));
      code = 1;
    }
  }
  for (const close of closing.toReversed()) await close();
  request.release();
  return code;
}

function settings(): Pick<Run, "port" | "folder"> {
  return { port: parsePort(process.env["PORT"]), folder: stateFolder(process.env) };
}

async function open(run: Run, demo: boolean): Promise<void> {
  prepareStateFolder(run.folder);
  await requireNoOther(run);
  build(say);
  const hub = await openHub({
    port: run.port,
    stateFolder: run.folder,
    hubSecret: hubSecret(run.folder),
    settings: settingsFrom(process.env),
    onLog: (level, message) => {
      if (level === "error" || level === "warn") warn(`hub: ${message}`);
    },
  });
  run.closing.push(async () => {
    await hub.close();
    forgetRun(run.folder);
  });
  noteRun(run.folder, run.port);
  await createLocalUser(hub.db);
  await keepAdminToken(hub.db, run.folder);
  showWelcome(hub.origin, await createSignInLink(hub));
  const setupLink = await createSetupLink(hub);
  if (setupLink !== undefined) showSetup(setupLink);
  offerNewLinks(hub, run.closing);
  await attach(run, hub, demo);
}

/** Throws where a hub runs already with this state or this port; ends what a killed one has left. */
async function requireNoOther(run: Run): Promise<void> {
  const other = findRunningHub(run.folder);
  if (other !== undefined) {
    throw new Error(
      `A hub runs here already, at http://hub.localhost:${other.port} (process ${other.pid}). ` +
        "Press Enter in its terminal for a sign-in link, or Ctrl-C to end it.",
    );
  }
  const ended = await endLeftovers(run.folder);
  if (ended.length > 0) say(`The last run was killed. Ended what it had left: process ${ended.join(", ")}.`);
  await requireFreePort(run.port);
}

function offerNewLinks(hub: Hub, closing: Closing): void {
  const lines = createInterface({ input: process.stdin });
  lines.on("line", () => {
    createSignInLink(hub).then(showNewLink, (error: unknown) => {
      warn(String(error));
    });
  });
  closing.push(() => {
    lines.close();
  });
}

async function attach(run: Run, hub: Hub, demo: boolean): Promise<void> {
  const started = demo
    ? await startDemo({ report: say, signal: run.signal, stateFolder: run.folder })
    : undefined;
  if (started !== undefined) run.closing.push(() => started.stop());
  const notice = sayOnce();
  const attachment = await keepAttached({
    hub: hub.origin,
    find: async () => started?.origin ?? (await findClaudecodeui({ notice }))?.target,
    token: () => machineToken(hub.db, run.folder),
    onLine: (line) => {
      say(`connector: ${line}`);
    },
    onChange: () => {
      noteRun(run.folder, run.port);
    },
    environment: started?.environment ?? {},
  });
  run.closing.push(() => attachment.stop());
  if (!attachment.found) showHowToAttach(claudecodeuiCommand);
}

/** For what is found at every look and is news at the first. */
function sayOnce(): (message: string) => void {
  const said = new Set<string>();
  return (message) => {
    if (!said.has(message)) say(`Note: ${message}.`);
    said.add(message);
  };
}
