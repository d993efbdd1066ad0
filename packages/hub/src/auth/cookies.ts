/** The spaces that may stand around names and values. Not `trim()`, which takes a disguised name for the real one. */
const AROUND = /^[ \t]+|[ \t]+$/g;

/**
 * The first cookie of exactly this name in a request, or undefined. Browsers keep sibling hosts from setting names that
 * begin with `__Host-`, but not names that begin with, say, a wide space.
 */
export function readCookie(request: Request, name: string): string | undefined {
  for (const pair of (request.headers.get("cookie") ?? "").split(";")) {
    const equals = pair.indexOf("=");
    if (equals > 0 && pair.slice(0, equals).replace(AROUND, "") === name)
      return pair.slice(equals + 1).replace(AROUND, "");
  }
  return undefined;
}

/** A `Set-Cookie` of the hub's own: only this host, only over a trusted connection, never for scripts. 0 s removes it. */
export function serializeCookie(name: string, value: string, maxAgeSeconds: number): string {
  return `${name}=${value}; Path=/; Max-Age=${maxAgeSeconds}; HttpOnly; Secure; SameSite=Lax`;
}
