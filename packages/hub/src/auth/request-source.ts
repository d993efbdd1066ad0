/**
 * Where a request to an instance comes from (security.md 2, 3, 4). Instances and hub share a site, so SameSite cookies do
 * not keep them apart; Origin and Sec-Fetch-* do.
 */

const SAFE_METHODS = new Set(["GET", "HEAD"]);

export function isUpgrade(request: Request): boolean {
  return request.headers.has("upgrade");
}

/** A person opening a page, as opposed to a page fetching or framing something. */
export function isNavigation(request: Request): boolean {
  return isOpening(request, ["document"]);
}

/**
 * The same at an instance's host, where the instance's own service worker may ask in the browser's stead: as "empty", which
 * does not tell whether the page is opened in a frame. That is what `frame-ancestors` in the answer is for.
 */
export function isInstanceNavigation(request: Request): boolean {
  return isOpening(request, ["document", "empty"]);
}

function isOpening(request: Request, destinations: string[]): boolean {
  if (request.method !== "GET" || isUpgrade(request)) return false;
  const mode = request.headers.get("sec-fetch-mode");
  if (mode === null) return request.headers.get("accept")?.includes("text/html") ?? false;
  return mode === "navigate" && destinations.includes(request.headers.get("sec-fetch-dest") ?? "");
}

/**
 * True if a request that carries a viewer's cookie may be served: upgrades and changes only from this very origin, reads
 * also from the address bar and from links, never as part of another origin's page.
 */
export function isAllowedSource(request: Request, origin: string): boolean {
  const from = request.headers.get("origin");
  if (isUpgrade(request) || !SAFE_METHODS.has(request.method)) return from === origin;
  if (from !== null && from !== origin) return false;
  const site = request.headers.get("sec-fetch-site");
  return site === null || site === "same-origin" || site === "none" || isInstanceNavigation(request);
}
