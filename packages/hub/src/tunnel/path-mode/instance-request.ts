/** A browser's request in path mode as the instance is to see it: as on an origin of its own. */
import { ownCookies } from "./answer-headers.ts";
import type { PathPlace } from "./place.ts";
import { ownTags } from "./validators.ts";

/** What the platform undoes by itself where a body is read. */
export const READABLE_ENCODING = /^(?:br|gzip|identity)$/;

/** The request without the prefix; `path` begins with a slash. */
export function instanceRequest(request: Request, place: PathPlace, path: string): Request {
  const url = new URL(request.url);
  url.pathname = path;
  const headers = new Headers(request.headers);
  change(headers, "cookie", ownCookies);
  change(headers, "referer", (value) => ownReferer(value, place));
  change(headers, "accept-encoding", readableEncodings);
  change(headers, "if-none-match", ownTags);
  change(headers, "if-match", ownTags);
  return new Request(new Request(url.href, request), { headers, redirect: "manual" });
}

/** Other pages of this origin are the hub's and other instances'; which one it was is none of this one's business. */
function ownReferer(referer: string, { origin, prefix }: PathPlace): string | undefined {
  const base = `${origin}${prefix}`;
  if (!referer.startsWith(base)) return undefined;
  const rest = referer.slice(base.length);
  if (rest.startsWith("/")) return origin + rest;
  return rest === "" || rest.startsWith("?") ? `${origin}/${rest}` : undefined;
}

/** Of an `Accept-Encoding`, what can be read here. */
export function readableEncodings(value: string): string {
  const kept = value.split(",").filter((one) => READABLE_ENCODING.test(one.split(";")[0]?.trim() ?? ""));
  return kept.length === 0 ? "identity" : kept.join(",");
}

function change(headers: Headers, name: string, to: (value: string) => string | undefined): void {
  const value = headers.get(name);
  const changed = value === null ? undefined : to(value);
  if (changed === undefined) headers.delete(name);
  else headers.set(name, changed);
}
