/**
 * The instance's own Content-Security-Policy and the one script it must let in: the shim, without which its page leads to the hub.
 * A policy is only ever widened by that script's own folder, or by a nonce that this answer alone has.
 */
import { randomSecret } from "../../secrets.ts";

/** In this order; the first of them that a policy has is about script elements. */
const ABOUT_SCRIPTS = ["script-src-elem", "script-src", "default-src"];
const NONCE = /^'nonce-([A-Za-z0-9+/_=-]+)'$/;
/** Beside one of these, sources that name places count for nothing. */
const BY_NONCE_ONLY = /^'(?:strict-dynamic|nonce-.*|sha(?:256|384|512)-.*)'$/i;

export interface AllowedScript {
  /** The policies, widened; undefined where there were none. */
  policies: string | undefined;
  /** What the script's element must carry. */
  nonce: string | undefined;
}

/** `folder`: absolute address under which the script stands, with a slash at its end. */
export function allowScript(policies: string | null, folder: string): AllowedScript {
  if (policies === null) return { policies: undefined, nonce: undefined };
  const all = policies.split(",").map(parsePolicy);
  const nonced = all.map(scriptSources).filter((sources) => sources?.some((one) => BY_NONCE_ONLY.test(one)));
  const known = nonced.flatMap((sources) => sources ?? []).map((one) => NONCE.exec(one)?.[1]);
  const nonce =
    nonced.length === 0 ? undefined : (known.find((one) => one !== undefined) ?? randomSecret(16));
  return { policies: all.map((policy) => printed(widened(policy, folder, nonce))).join(", "), nonce };
}

type Policy = [name: string, sources: string[]][];

function parsePolicy(text: string): Policy {
  return text
    .split(";")
    .map((directive) => directive.trim().split(/\s+/))
    .filter(([name]) => name !== "")
    .map(([name = "", ...sources]) => [name, sources]);
}

function printed(policy: Policy): string {
  return policy.map(([name, sources]) => [name, ...sources].join(" ")).join("; ");
}

function scriptDirective(policy: Policy): string | undefined {
  return ABOUT_SCRIPTS.find((name) => policy.some(([one]) => one.toLowerCase() === name));
}

function scriptSources(policy: Policy): string[] | undefined {
  const directive = scriptDirective(policy);
  return policy.find(([name]) => name.toLowerCase() === directive)?.[1];
}

function widened(policy: Policy, folder: string, nonce: string | undefined): Policy {
  const [directive, sources] = [scriptDirective(policy), scriptSources(policy)];
  if (directive === undefined || sources === undefined) return policy;
  const isByNonce = sources.some((one) => BY_NONCE_ONLY.test(one));
  const isAllowed = isByNonce
    ? sources.includes(`'nonce-${nonce}'`)
    : sources.some((one) => one === "*" || one.toLowerCase() === "'self'");
  if (isAllowed) return policy;
  const needed = isByNonce ? `'nonce-${nonce}'` : folder;
  const wider = [...sources.filter((one) => one.toLowerCase() !== "'none'"), needed];
  // Whatever else the default is for stays as it is.
  if (directive === "default-src") return [...policy, ["script-src-elem", wider]];
  return policy.map(([name, own]) => (name.toLowerCase() === directive ? [name, wider] : [name, own]));
}
