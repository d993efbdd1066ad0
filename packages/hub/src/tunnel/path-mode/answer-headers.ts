/**
 * Header fields of an instance's answer in path mode: addresses get the prefix, cookies stay below it, and what would speak for
 * the whole origin, which is the hub's, is left out. Doing it twice changes nothing more.
 */
import { placed, placedScope, type PathPlace } from "./place.ts";

/** They are about an origin, not about an answer. */
const ABOUT_THE_ORIGIN = [
  "accept-ch",
  "activate-storage-access",
  "critical-ch",
  "nel",
  "origin-agent-cluster",
  "report-to",
  "secure-session-registration",
  "sec-session-registration",
  "set-login",
];

/** Names browsers take only with `Path=/`, and under which they are kept here. */
const [HOST_COOKIE, KEPT_AS] = ["__Host-", "__Secure-path-"];
const KEPT_COOKIE = new RegExp(`(^|[;,])(\\s*)${KEPT_AS}`, "gi");

/** Changes the fields in their place. `path` is what was asked for, as the instance sees it. */
export function placeHeaders(headers: Headers, place: PathPlace, path: string): void {
  for (const name of ABOUT_THE_ORIGIN) headers.delete(name);
  change(headers, "location", (value) => placed(value, place));
  change(headers, "content-location", (value) => placed(value, place));
  change(headers, "refresh", (value) => placedRefresh(value, place));
  change(headers, "link", (value) =>
    value.replace(/<([^>]*)>/g, (_, url: string) => `<${placed(url, place)}>`),
  );
  change(headers, "sourcemap", (value) => placed(value, place));
  change(headers, "service-worker-allowed", (value) => allowedScope(value, place, path));
  const cookies = headers.getSetCookie();
  headers.delete("set-cookie");
  for (const cookie of cookies) headers.append("set-cookie", placedCookie(cookie, place, path));
}

/** `Refresh: 5; url=/x`, as a header and as `content` of a meta element. */
export function placedRefresh(value: string, place: PathPlace): string {
  const [, before = "", address = ""] = /^([^;,]*[;,]\s*(?:url\s*=\s*)?["']?)([^]*)$/i.exec(value) ?? [];
  return before === "" ? value : before + placed(address, place);
}

/** `Cookie` on the way to the instance: its own names again. */
export function ownCookies(value: string): string {
  return value.replace(KEPT_COOKIE, `$1$2${HOST_COOKIE}`);
}

/** The scope a service worker's script may have: within the instance, whatever it asks for. */
function allowedScope(value: string, place: PathPlace, path: string): string {
  const { origin, prefix } = place;
  const url = URL.parse(placedScope(value, place), `${origin}${prefix}${path}`);
  const isWithin = url?.origin === origin && `${url.pathname}/`.startsWith(`${prefix}/`);
  return isWithin ? url.pathname : prefix;
}

function placedCookie(cookie: string, { prefix }: PathPlace, path: string): string {
  const [pair = "", ...attributes] = cookie.split(";");
  const isPath = (attribute: string) => /^\s*path\s*(?:=|$)/i.test(attribute);
  const given =
    attributes
      .findLast(isPath)
      ?.replace(/^[^=]*=/, "")
      .trim() ?? "";
  const wanted = given.startsWith("/") ? given : defaultPath(path);
  const isPlaced = `${wanted}/`.startsWith(`${prefix}/`);
  const below = isPlaced ? wanted : prefix + (wanted === "/" ? "" : wanted);
  const kept = attributes.filter((attribute) => !isPath(attribute));
  return [withKeptName(pair), ` Path=${below}`, ...kept].join(";");
}

function withKeptName(pair: string): string {
  const name = pair.trimStart();
  return name.toLowerCase().startsWith(HOST_COOKIE.toLowerCase())
    ? KEPT_AS + name.slice(HOST_COOKIE.length)
    : pair;
}

/** RFC 6265, section 5.1.4. */
function defaultPath(path: string): string {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "/" : path.slice(0, end);
}

function change(headers: Headers, name: string, to: (value: string) => string): void {
  const value = headers.get(name);
  if (value !== null) headers.set(name, to(value));
}
