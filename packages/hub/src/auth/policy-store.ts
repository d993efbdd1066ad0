import { listAllowedEntities } from "../db/allowed-entities.ts";
import type { Env } from "../env.ts";
import { admissionProblems, type AdmissionSettings } from "./admission.ts";
import { parsePolicySettings, type PolicySettings } from "./policy-settings.ts";
import type { AllowedEntity } from "./policy.ts";
import { log } from "../log.ts";

export interface Policy {
  /** What the settings allow and what administrators added; one entity may stand in both. */
  entities: AllowedEntity[];
  /** A sentence for each part of the settings about access that cannot be read. */
  problems: string[];
}

/** What this isolate has said already. */
const logged = new Set<string>();

/** Who may use this hub, now. */
export async function loadPolicy(env: Pick<Env, "DB"> & PolicySettings & AdmissionSettings): Promise<Policy> {
  const { entities, problems: unreadable } = parsePolicySettings(env);
  const problems = [...unreadable, ...admissionProblems(env)];
  for (const problem of problems) logOnce(problem);
  const rows = await listAllowedEntities(env.DB);
  const added = rows.map(({ kind, github_id, name, role }): AllowedEntity => {
    return { kind, id: github_id, name, role, source: "database" };
  });
  return { entities: [...entities, ...added], problems };
}

/** Whom the policy lets in now: nobody where this hub does not sign in with GitHub, or not any more. */
export async function loadPolicyInForce(
  env: Parameters<typeof loadPolicy>[0] & Pick<Env, "GITHUB_SIGN_IN">,
): Promise<AllowedEntity[]> {
  return env.GITHUB_SIGN_IN === "enabled" ? (await loadPolicy(env)).entities : [];
}

function logOnce(problem: string): void {
  if (logged.has(problem)) return;
  logged.add(problem);
  log("misconfigured", { problem });
}
