/** Where a request came from, as far as the platform tells. */

/** Shown to people beside a sign-in, a token's use and an audit entry. */
export interface RequestPlace {
  /** The client's address; null on a local hub, where everybody is on this machine. */
  ip: string | null;
  /** City and country, where the platform knows them. */
  place: string | null;
}

/** A request, as far as it is looked at here; spelled out, because the runner loads this file without a Worker. */
interface PlacedRequest {
  headers: Headers;
  /** What Cloudflare's edge knows of it. */
  cf?: object | undefined;
}

export function placeOf(request: PlacedRequest): RequestPlace {
  return { ip: clientIp(request), place: cityAndCountry(request.cf) };
}

/** The place of everybody on a hub of one's own machine. */
export const LOCAL_PLACE = "local";

/**
 * What attempts from one place are counted under: an IPv4 address, an IPv6 network of 64 bits (one subscriber has that
 * many addresses), or `LOCAL_PLACE` where the platform names none.
 */
export function placeKey(request: PlacedRequest): string {
  const ip = clientIp(request);
  if (ip === null) return LOCAL_PLACE;
  if (!ip.includes(":") || ip.includes(".")) return ip;
  return `${expandIpv6(ip).slice(0, 4).join(":")}::/64`;
}

/** Set by Cloudflare's edge, which removes what a client sent; nothing else is believed. */
function clientIp(request: PlacedRequest): string | null {
  return request.headers.get("cf-connecting-ip");
}

function cityAndCountry(cf: PlacedRequest["cf"]): string | null {
  const { city, country }: { city?: unknown; country?: unknown } = cf ?? {};
  const parts = [city, country].filter((part): part is string => typeof part === "string");
  return parts.length === 0 ? null : parts.join(", ");
}

function expandIpv6(ip: string): string[] {
  const [head = "", tail] = ip.toLowerCase().split("::");
  const groups = head === "" ? [] : head.split(":");
  const last = tail === undefined || tail === "" ? [] : tail.split(":");
  return [...groups, ...Array<string>(Math.max(0, 8 - groups.length - last.length)).fill("0"), ...last];
}
