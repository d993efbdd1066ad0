/** Header fields between hub and the local application: what names this hop is rewritten, what belongs to one hop stays on it. */
import { IDENTITY_FIELDS } from "@ai-orchestrator/protocol";
import type { HeaderList, RequestParts } from "./adapter.ts";
import { askedTags } from "./validators.ts";

/** `expect` ends here too: the hub has already taken the body. */
const NOT_FORWARDED: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "host",
  "expect",
  "sec-websocket-key",
  "sec-websocket-version",
  "sec-websocket-extensions",
  "sec-websocket-accept",
]);

const CONNECTION = "connection";

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
  for (const field of request.headers) {
    const name = field[0];
    if (!isForwarded(name) || isHubsOwn(name)) continue;
    const said = rewritten(field, instance, target);
    fields.push(said === field[1] ? field : [name, said]);
  }
  return fields;
}

function isForwarded(name: string): boolean {
  return !NOT_FORWARDED.has(name) && !name.startsWith("proxy-");
}

function isHubsOwn(name: string): boolean {
  return name.startsWith("x") && HUBS.test(name) && !FOR_APPLICATION.has(name);
}

/** The answer's fields for the hub; redirects to the upstream's own origin become paths. */
export function answerFields(rawHeaders: readonly string[], target: URL): HeaderList {
  const fields: HeaderList = [];
  const named = namedInConnection(rawHeaders);
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] ?? "").toLowerCase();
    const value = rawHeaders[index + 1] ?? "";
    if (!isForwarded(name) || named?.has(name) === true) continue;
    fields.push([name, name === "location" ? withoutOrigin(value, target.origin) : value]);
  }
  return fields;
}

/** The answer's fields without `immutable`: hubs and browsers keep what is that for good, and never ask whether it is whole. */
export function notForEver(fields: HeaderList): HeaderList {
  return fields.map(([name, value]) => {
    if (name !== "cache-control") return [name, value];
    const kept = value.split(",").filter((one) => !/^\s*immutable\s*$/i.test(one));
    return [name, kept.join(",")];
  });
}

/** First value of a field, or undefined. Names are lower case. */
export function fieldOf(fields: HeaderList, name: string): string | undefined {
  for (const field of fields) if (field[0] === name) return field[1];
  return undefined;
}

/** The fields without those named. */
export function without(fields: HeaderList, ...names: string[]): HeaderList {
  return fields.filter(([name]) => !names.includes(name));
}

/** Fields that the upstream declares to be meant for us only (RFC 9110, section 7.6.1); mostly none. */
function namedInConnection(rawHeaders: readonly string[]): Set<string> | undefined {
  let named: Set<string> | undefined;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index] ?? "";
    if (name.length !== CONNECTION.length || name.toLowerCase() !== CONNECTION) continue;
    named ??= new Set();
    for (const option of (rawHeaders[index + 1] ?? "").split(",")) named.add(option.trim().toLowerCase());
  }
  return named;
}

function instanceOriginOf(headers: HeaderList): string | undefined {
  const host = fieldOf(headers, "x-forwarded-host");
  const protocol = fieldOf(headers, "x-forwarded-proto");
  return host === undefined || protocol === undefined ? undefined : `${protocol}://${host}`;
}

function rewritten(field: HeaderList[number], instance: string | undefined, target: URL): string {
  const value = field[1];
  switch (field[0]) {
    case "if-none-match":
      return askedTags(value);
    case "origin":
      return value === instance ? target.origin : value;
    case "referer":
      if (instance === undefined || !value.startsWith(instance)) return value;
      return value.length === instance.length || value[instance.length] === "/"
        ? target.origin + value.slice(instance.length)
        : value;
    default:
      return value;
  }
}

function withoutOrigin(location: string, origin: string): string {
  if (location === origin) return "/";
  const rest = location.startsWith(`${origin}/`) ? location.slice(origin.length) : location;
  // `//x` would name a host; the upstream meant a path.
  return rest !== location && rest.startsWith("//") ? location : rest;
}
