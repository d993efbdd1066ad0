/** Which hub, and by which token: the environment's, or the hub that runs on this machine. */
import { findRunningHub } from "../local/run-record.ts";
import { localOrigin } from "../local/local-origin.ts";
import { ADMIN_TOKEN_FILE, readPrivate, stateFolder } from "../local/state.ts";
import { isHere } from "./addresses.ts";
import { CommandError, EXIT } from "./exit-codes.ts";

export interface Target {
  /** Origin of the hub. */
  origin: string;
  token: string;
}

export const HOW_TO_GET_A_TOKEN = 'Make one with the scope "admin" on its page for tokens.';

/** Throws a `CommandError` that says what to set or start. */
export function findTarget(environment: NodeJS.ProcessEnv): Target {
  const { ORCHESTRATOR_URL: url, ORCHESTRATOR_ADMIN_TOKEN: token } = environment;
  if (token && !/^[\w-]+$/.test(token))
    throw new CommandError(EXIT.wrongUse, "ORCHESTRATOR_ADMIN_TOKEN is not a token; those begin with orc_.");
  if (!url) return localTarget(environment, token);
  if (!token)
    throw new CommandError(EXIT.wrongUse, `ORCHESTRATOR_ADMIN_TOKEN is missing. ${HOW_TO_GET_A_TOKEN}`);
  return { origin: parseOrigin(url), token };
}

function localTarget(environment: NodeJS.ProcessEnv, token: string | undefined): Target {
  const folder = stateFolder(environment);
  const hub = findRunningHub(folder);
  if (hub === undefined)
    throw new CommandError(
      EXIT.noHub,
      "No hub runs on this machine. Start it with npm start, or name another one with ORCHESTRATOR_URL and ORCHESTRATOR_ADMIN_TOKEN.",
    );
  const known = token || readPrivate(folder, ADMIN_TOKEN_FILE);
  if (known === undefined)
    throw new CommandError(EXIT.noHub, "The hub on this machine is older than this command. Start it again.");
  return { origin: localOrigin(hub.port), token: known };
}

/** The token could be read on its way over plain http, so that is for hubs on this machine only. */
function parseOrigin(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.protocol !== "https:" && !(url.protocol === "http:" && isHere(url.hostname))))
    throw new CommandError(
      EXIT.wrongUse,
      "ORCHESTRATOR_URL must be https://, or http:// for a hub on this machine, such as https://hub.example.com",
    );
  return url.origin;
}
