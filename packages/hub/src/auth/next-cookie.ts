/** Where the browser wanted to go before it was asked to sign in; survives the detour through a terminal or GitHub. */
import { HUB_COOKIE_PREFIX, readCookie, serializeCookie } from "./cookies.ts";
import { parseLocalPath } from "./next-path.ts";

const NEXT_COOKIE = `${HUB_COOKIE_PREFIX}next`;
const NEXT_SECONDS = 10 * 60;

/** The `Set-Cookie` that remembers a path of the hub's. */
export function rememberPath(path: string): string {
  return serializeCookie(NEXT_COOKIE, encodeURIComponent(path), NEXT_SECONDS);
}

/** The `Set-Cookie` that forgets it. */
export function forgetPath(): string {
  return serializeCookie(NEXT_COOKIE, "", 0);
}

/** Our own cookie, but anyone at the browser can write one: judged like any other path. */
export function rememberedPath(request: Request): string | undefined {
  try {
    return parseLocalPath(decodeURIComponent(readCookie(request, NEXT_COOKIE) ?? ""));
  } catch (error) {
    if (error instanceof URIError) return undefined;
    throw error;
  }
}
