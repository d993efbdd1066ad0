/** Every cookie of the hub's own begins so; ingress keeps such cookies from instances. */
export const HUB_COOKIE_PREFIX = "__Host-orchestrator-";

/** The spaces that may stand around names and values. Not `trim()`, which takes a disguised name for the real one. */
const AROUND = /^[ \t]+|[ \t]+$/g;

/**
 * The first cookie of exactly this name in a request, or undefined. Browsers keep sibling hosts from setting names that
 * begin with `__Host-`, but not names that begin with, say, a wide space.
 */
export function readCookie(request: Request, name: string): string | undefined {
  return cookiesOf(request).find((cookie) => cookie.name === name)?.value;
}

/** True where a browser that has been here before sent this, or something that acts for it. */
export function hasHubCookie(request: Request): boolean {
  return cookiesOf(request).some(({ name }) => name.startsWith(HUB_COOKIE_PREFIX));
}

/** A `Set-Cookie` of the hub's own: only this host, only over a trusted connection, never for scripts. 0 s removes it. */
export function serializeCookie(name: string, value: string, maxAgeSeconds: number): string {
  return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; Secure; SameSite=Lax`;
}

function cookiesOf(request: Request): { name: string; value: string }[] {
  return (request.headers.get("cookie") ?? "").split(";").flatMap((pair) => {
    const equals = pair.indexOf("=");
    if (equals <= 0) return [];
    return [
      { name: pair.slice(0, equals).replace(AROUND, ""), value: pair.slice(equals + 1).replace(AROUND, "") },
    ];
  });
}
