/**
 * What is put behind a page's path so that a cache in between takes the page for a static file, or a path that two of them read
 * differently.
 */
export const STATIC_DISGUISES: readonly string[] = [
  "/x.css",
  "/x.js",
  ".css",
  ".js?x.png",
  ";x.css",
  ";.js",
  "/;/x.css",
  "%2fx.css",
  "%3bx.css",
  "%3fx.css",
  "%23x.css",
  "%00.css",
  "%0ax.css",
  "/%2e%2e/x.css",
  "/..%2fx.css",
  "/favicon.ico",
  "/robots.txt",
  "?x.css",
  "?.js",
];
