/** True for host names of URLs that lead to this machine wherever they are used. */
export function isHere(hostname: string): boolean {
  if (hostname === "localhost" || hostname === "127.0.0.1" || hostname === "[::1]") return true;
  return hostname.endsWith(".localhost");
}
