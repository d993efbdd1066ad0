/** Header fields between hub and the local application: what names this hop is rewritten, what belongs to one hop stays on it. */
import { IDENTITY_FIELDS } from "@ai-orchestrator/protocol";
import type { HeaderList, RequestParts } from "./adapter.ts";
import { askedTags } from "./validators.ts";

/** `expect` ends here too: the hub has already taken the body. */
const NOT_FORWARDED =
  /^(?:connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|host|expect|sec-websocket-(?:key|version|extensions|accept))$/;

/** Only a hub says these, and of them only who looks is for the application. Many servers take `_` for `-`. */
const HUBS = /^x[-_]orchestrator[-_]/;
const FOR_APPLICATION: ReadonlySet<string> = new Set([IDENTITY_FIELDS.userId, IDENTITY_FIELDS.login]);

/**
 * The request's fields for the upstream: its own host, its own origin where the browser said the instance's, and its own tags where it
 * said ours.
 */
export function upstreamFields(request: RequestParts, target: URL): HeaderList {
  const instance = instanceOriginOf(request.headers);
  const fields: HeaderList = [["host", target.host]];
  for (const [name, value] of request.headers) {
    if (NOT_FORWARDED.test(name)) continue;
    if (HUBS.test(name) && !FOR_APPLICATION.has(name)) continue;
    fields.push([name, rewritten(name, value, { instance, target })]);
  }
  return fields;
}

/** The answer's fields for the hub; redirects to the upstream's own origin become paths. */
export function answerFields(rawHeaders: readonly string[], target: URL): HeaderList {
  const fields: HeaderList = [];
  const named = namedInConnection(rawHeaders);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    if (NOT_FORWARDED.test(name) || named.has(name)) continue;
    fields.push([name, name === "location" ? withoutOrigin(value, target.origin) : value]);
  }
  return fields;
}

/** First value of a field, or undefined. Names are lower case. */
export function fieldOf(fields: HeaderList, name: string): string | undefined {
  return fields.find(([field]) => field === name)?.[1];
}

/** The fields without those named. */
export function without(fields: HeaderList, ...names: string[]): HeaderList {
  return fields.filter(([name]) => !names.includes(name));
}

/** Fields that the upstream declares to be meant for us only (RFC 9110, section 7.6.1). */
function namedInConnection(rawHeaders: readonly string[]): Set<string> {
  const named = new Set<string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    if (rawHeaders[index]?.toLowerCase() !== "connection") continue;
    for (const name of (rawHeaders[index + 1] ?? "").split(",")) named.add(name.trim().toLowerCase());
  }
  return named;
}

function instanceOriginOf(headers: HeaderList): string | undefined {
  const host = fieldOf(headers, "x-forwarded-host");
  const protocol = fieldOf(headers, "x-forwarded-proto");
  return host === undefined || protocol === undefined ? undefined : `${protocol}://${host}`;
}

function rewritten(
  name: string,
  value: string,
  { instance, target }: { instance: string | undefined; target: URL },
): string {
  if (name === "if-none-match") return askedTags(value);
  if (instance === undefined) return value;
  if (name === "origin") return value === instance ? target.origin : value;
  if (name !== "referer") return value;
  return value === instance || value.startsWith(`${instance}/`)
    ? target.origin + value.slice(instance.length)
    : value;
}

function withoutOrigin(location: string, origin: string): string {
  if (location === origin) return "/";
  const rest = location.startsWith(`${origin}/`) ? location.slice(origin.length) : location;
  // `//x` would name a host; the upstream meant a path.
  return rest !== location && rest.startsWith("//") ? location : rest;
}
