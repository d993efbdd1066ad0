import { forgetPolicySettings, notePolicySettings } from "../db/policy-settings.ts";
import type { Env } from "../env.ts";
import { sha256 } from "../secrets.ts";
import { recheckEveryone } from "./recheck.ts";
import { errorName, log } from "../log.ts";

/** What this isolate has said to the database, so that it says it once. */
let noted: string | undefined;

/**
 * Takes settings of access into account that changed since the hub ran last: with the first request after a deploy everybody is
 * asked after whom they let in no longer. Never rejects: what fails is tried again with the next isolate, and no answer
 * outlives its age. Undefined where there is nothing to do, which is so from the second request on.
 */
export function noticeSettings(env: Env): Promise<void> | undefined {
  const { ADMINS, ALLOWED_ORGS, ALLOWED_TEAMS, ALLOWED_USERS, GITHUB_SIGN_IN } = env;
  const settings = JSON.stringify([ADMINS, ALLOWED_ORGS, ALLOWED_TEAMS, ALLOWED_USERS, GITHUB_SIGN_IN]);
  if (noted === settings) return undefined;
  noted = settings;
  return note(env, settings);
}

async function note(env: Env, settings: string): Promise<void> {
  try {
    if (await notePolicySettings(env.DB, await sha256(settings))) await recheck(env);
  } catch (error) {
    log("settings_not_noticed", { error: errorName(error) });
  }
}

async function recheck(env: Env): Promise<void> {
  try {
    await recheckEveryone(env);
  } catch (error) {
    await forgetPolicySettings(env.DB);
    throw error;
  }
}
