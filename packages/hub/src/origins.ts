/**
 * Whose host is this? The rule for the hub's host and the instances' hosts, in one place. Hosts are compared by
 * equality: a label is read out of a host, the host is built again from it, and both must be the same text.
 */
import type { Env } from "./env.ts";
import type { Instance } from "./instance.ts";
import { routes } from "./routes.ts";

export type OriginSettings = Pick<Env, "HUB_ORIGIN" | "INSTANCE_HOST">;

const LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const MAX_SLUG = 40;
const HASH_CHARACTERS = 10;
const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";

export type HostOwner = { kind: "hub" } | { kind: "instance"; label: string } | { kind: "unknown" };

/** Read once in the isolate's life: every request asks for it. */
let hub: { origin: string; url: URL } | undefined;

function hubUrl({ HUB_ORIGIN: origin }: OriginSettings): URL {
  if (hub?.origin !== origin) hub = { origin, url: new URL(origin) };
  return hub.url;
}

/** Says whose a `Host` (with its port, as sent) is. */
export function hostOwner(host: string, settings: OriginSettings): HostOwner {
  if (host === hubUrl(settings).host) return { kind: "hub" };
  const [before = "", after = ""] = pattern(settings).split("{label}");
  const label = host.slice(before.length, host.length - after.length);
  if (isLabel(label) && host === instanceHost(label, settings)) return { kind: "instance", label };
  return { kind: "unknown" };
}

/** One DNS label: 1–63 of `a-z 0-9 -`, no hyphen at either end. */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/** Host (with port) of an instance; undefined where the hub has one host name only. */
function instanceHost(label: string, settings: OriginSettings): string | undefined {
  return pattern(settings) === "" ? undefined : pattern(settings).replace("{label}", label);
}

function pattern({ INSTANCE_HOST = "" }: OriginSettings): string {
  return INSTANCE_HOST === "none" ? "" : INSTANCE_HOST;
}

/** Origin of an instance in host mode; its scheme is the hub's. Undefined where the hub has one host name only. */
export function instanceOrigin(label: string, settings: OriginSettings): string | undefined {
  const host = instanceHost(label, settings);
  return host === undefined ? undefined : `${hubUrl(settings).protocol}//${host}`;
}

/**
 * Where people open an instance, without a slash at the end: on its own host, or below the hub's where there is no such host or its
 * connector speaks version 1 of the protocol, which knows none.
 */
export function instanceUrl(
  { label, protocol }: Pick<Instance, "label" | "protocol">,
  settings: OriginSettings,
): string {
  const origin = protocol === 1 ? undefined : instanceOrigin(label, settings);
  return origin ?? new URL(settings.HUB_ORIGIN).origin + routes.clientProxy(label);
}

/**
 * The label of an instance: `<slug of client_id>-<hash of owner and client_id>`. Nobody else's instance can have it
 * (50 bits, and the Tunnel behind it remembers its owner and refuses another).
 */
export async function instanceLabel(owner: string, clientId: string): Promise<string> {
  const bytes = new TextEncoder().encode(JSON.stringify([owner, clientId]));
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  let hash = "";
  for (const byte of digest.subarray(0, HASH_CHARACTERS)) hash += BASE32.charAt(byte & 31);
  return `${slug(clientId)}-${hash}`;
}

function slug(clientId: string): string {
  const text = clientId
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, MAX_SLUG)
    .replace(/^-+|-+$/g, "");
  return text === "" ? "instance" : text;
}
