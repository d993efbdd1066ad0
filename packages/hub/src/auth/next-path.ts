const MAX_LENGTH = 4096;
const BASE = "http://base.invalid";

/**
 * A path on this origin with its query and fragment, or undefined where the text could lead anywhere else. Judged
 * after parsing as a browser would: backslashes, tabs and `//` are what open redirects are made of.
 */
export function parseLocalPath(text: string | null | undefined): string | undefined {
  if (text === null || text === undefined || text.length > MAX_LENGTH) return undefined;
  // oxlint-disable-next-line no-control-regex -- browsers drop some control characters, which would change the meaning
  if (!text.startsWith("/") || /[\\\u0000-\u0020\u007f]/.test(text)) return undefined;
  const url = URL.parse(text, BASE);
  if (url === null || url.origin !== BASE || url.username !== "" || url.password !== "") return undefined;
  const path = `${url.pathname}${url.search}${url.hash}`;
  return path.startsWith("//") ? undefined : path;
}
