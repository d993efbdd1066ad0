/** Where an instance stands in path mode, and what its own addresses are there. Pure: every rewriting goes by it. */

export interface PathPlace {
  /** Origin of the hub. */
  origin: string;
  /** Path of the instance on it, without a slash at its end. */
  prefix: string;
}

/** Before an address in HTML, CSS and headers there may stand what browsers skip. */
// oxlint-disable-next-line no-control-regex -- it is what browsers skip
const SKIPPED = /^[\u0000-\u0020]*/;
/** What may follow a prefix where it is whole. */
const END = /^(?:[/?#]|$)/;

/**
 * Where in a text that is an address the prefix is missing, in UTF-16 code units; undefined where none is: relative
 * addresses, other origins', and those that have it already, because an application knows `X-Forwarded-Prefix`.
 */
export function missingPrefixAt(address: string, { origin, prefix }: PathPlace): number | undefined {
  const start = SKIPPED.exec(address)?.[0].length ?? 0;
  const at = start + originLength(address.slice(start, start + origin.length + 1), origin);
  const path = address.slice(at, at + prefix.length + 1);
  const next = path.charAt(1);
  // Two slashes begin a host, and a backslash is a slash to browsers.
  if (path.charAt(0) !== "/" || next === "/" || next === "\\") return undefined;
  return path.startsWith(prefix) && END.test(path.slice(prefix.length)) ? undefined : at;
}

/** An address of the instance as it is in path mode; the same text where it already is, or is none of its own. */
export function placed(address: string, place: PathPlace): string {
  const at = missingPrefixAt(address, place);
  return at === undefined ? address : address.slice(0, at) + place.prefix + address.slice(at);
}

/** As `placed`, for what is held to the instance: `/` is everything of it, with and without a slash. */
export function placedScope(scope: string, place: PathPlace): string {
  const full = placed(scope, place);
  return full === `${place.prefix}/` ? place.prefix : full;
}

/** Length of the hub's own origin, with its scheme or without, before the path of an address. */
function originLength(text: string, origin: string): number {
  const lower = text.toLowerCase();
  if (lower.startsWith(`${origin}/`)) return origin.length;
  const host = origin.slice(origin.indexOf("//"));
  return lower.startsWith(`${host}/`) ? host.length : 0;
}
