/** Which web UI to connect: named, found, or started here; and what is known about it. */
import { setTimeout as delay } from "node:timers/promises";
import { type Adapter, createPlainAdapter } from "../adapter.ts";
import { createClaudecodeuiAdapter } from "../claudecodeui/claudecodeui-adapter.ts";
import { detectClaudecodeui } from "../claudecodeui/detect.ts";
import { readLocalServer } from "../claudecodeui/local-server.ts";
import { findClaudecodeui, portOf, WELL_KNOWN_PORTS } from "../discovery.ts";
import { portOwner, type PortOwner } from "../port-owner.ts";
import type { Terminal } from "./terminal.ts";

const LOOK_EVERY_MS = 300;
/** Once it was said that nothing answers. To look for one that nobody has named is more work than to ask one. */
const LOOK_LATER_EVERY_MS = { named: 2_000, any: 10_000 };
const SAY_AFTER_MS = 30_000;

export interface Application {
  target: string;
  adapter: Adapter;
  /** True where another user of this machine runs it: it is shown as it is, without any of this user's secrets. */
  isOthers: boolean;
}

export interface ApplicationPlace {
  /** As the person named it. */
  target: string | undefined;
  env: NodeJS.ProcessEnv;
  home: string;
  terminal: Terminal;
  signal: AbortSignal;
  /** One that does not run yet is waited for. */
  waits?: boolean;
}

/** One that runs already; undefined, having said so, where there is none. One that was named is waited for. */
export async function findApplication(place: ApplicationPlace): Promise<Application | undefined> {
  const { terminal, home } = place;
  const said = new Set<string>();
  const notice = (message: string) => {
    if (!said.has(message)) terminal.say(`Note: ${message}`);
    said.add(message);
  };
  const look = async () => (await findClaudecodeui({ home, notice }))?.target;
  const target = place.target ?? (place.waits === true ? await waitFor(look, place) : await look());
  if (target !== undefined) return describeApplication(target, place);
  if (place.signal.aborted) return undefined;
  terminal.say(
    `No claudecodeui runs here: none in ~/.cloudcli/local-server.json and none at ports ${WELL_KNOWN_PORTS.join(", ")}.`,
    "bad",
  );
  terminal.say(
    "Start it and try again, name it with --target, or start it from here: orchestrator connect -- <command>",
  );
  return undefined;
}

/** Remembers what runs before a program is started, so that `wait` finds the one that came with it. */
export async function expectApplication(place: ApplicationPlace) {
  const before = await readLocalServer(place.home);
  const port = place.env["SERVER_PORT"] ?? String(WELL_KNOWN_PORTS[0]);
  const usual = `http://127.0.0.1:${port}`;
  const taken = (await detectClaudecodeui(usual)) !== undefined;
  const note = place.target === undefined ? NOTES[await portOwner(portOf(usual))] : undefined;
  if (note !== undefined) place.terminal.say(`Note: ${note}`);

  const look = async (): Promise<string | undefined> => {
    const marked = await readLocalServer(place.home);
    if (
      marked &&
      marked.pid !== before?.pid &&
      (await isOwn(marked.target)) &&
      (await answers(marked.target))
    )
      return marked.target;
    return !taken && (await isOwn(usual)) && (await detectClaudecodeui(usual)) ? usual : undefined;
  };
  return {
    /** Waits until it answers; undefined when `place.signal` ends the wait. */
    wait: async (): Promise<Application | undefined> => {
      const target = place.target ?? (await waitFor(look, place));
      return target === undefined ? undefined : describeApplication(target, place);
    },
  };
}

/** Why what is started may not be found by itself. */
const NOTES: Partial<Record<PortOwner, string>> = {
  other: "the usual port belongs to another user of this machine; let yours listen elsewhere",
  unknown: "this system does not say who listens on a port, so name the web UI that is started with --target",
};

async function describeApplication(
  target: string,
  place: ApplicationPlace,
): Promise<Application | undefined> {
  const { terminal, env, home } = place;
  const there = await waitFor(async () => ((await answers(target)) ? target : undefined), place);
  if (there === undefined) return undefined;
  const owner = await portOwner(portOf(target));
  if (owner === "other" || owner === "nobody") {
    terminal.say(
      `Note: port ${portOf(target)} belongs to another user of this machine, so there is no sign-in and no session status`,
    );
    return { target, adapter: createPlainAdapter(), isOthers: true };
  }
  const software = await detectClaudecodeui(target);
  if (!software) {
    terminal.say(
      `Found a web server at ${target}; it is not claudecodeui, so there is no sign-in and no session status`,
    );
    return { target, adapter: createPlainAdapter(), isOthers: false };
  }
  terminal.say(`Found claudecodeui ${software.version} at ${target}`);
  return { target, adapter: createClaudecodeuiAdapter({ target, env, home }), isOthers: false };
}

/** Looks until there is something, and says once that it waits. */
async function waitFor(
  look: () => Promise<string | undefined>,
  { target, terminal, signal }: ApplicationPlace,
): Promise<string | undefined> {
  const sayAt = Date.now() + (target === undefined ? SAY_AFTER_MS : LOOK_EVERY_MS);
  const laterMs = LOOK_LATER_EVERY_MS[target === undefined ? "any" : "named"];
  let said = false;
  for (;;) {
    const found = await look();
    if (found !== undefined || signal.aborted) return signal.aborted ? undefined : found;
    if (!said && Date.now() > sayAt) {
      terminal.say(`Nothing answers at ${target ?? "any known address"} yet; waiting`, "quiet");
      said = true;
    }
    await delay(said ? laterMs : LOOK_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Nobody has named what is found: it must be known to be this user's. */
async function isOwn(target: string): Promise<boolean> {
  return (await portOwner(portOf(target))) === "ours";
}

/** True when a web server answers, whatever it says. */
async function answers(target: string): Promise<boolean> {
  try {
    const response = await fetch(target, {
      method: "HEAD",
      redirect: "manual",
      signal: AbortSignal.timeout(5_000),
    });
    await response.body?.cancel();
    return true;
  } catch {
    return false;
  }
}
