/** Loopback: the only place where the connector forwards to, and where `*.localhost` leads. */
import dns, { type LookupAddress, type LookupOptions } from "node:dns";

const LOOPBACK_HOST = /^(?:localhost|127(?:\.\d{1,3}){3}|\[::1\])$/;

/** True for a host name of a URL that can only be this machine. */
export function isLoopbackHost(hostname: string): boolean {
  return LOOPBACK_HOST.test(hostname);
}

/** True for what may be named as the local web application. */
export function isLocalAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") return false;
  return url.protocol === "http:" && isLoopbackHost(url.hostname);
}

type LookupCallback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

const LOOPBACK: LookupAddress[] = [
  { address: "127.0.0.1", family: 4 },
  { address: "::1", family: 6 },
];

/** A `lookup` for sockets that knows `*.localhost`: browsers resolve those names, most systems do not. All addresses are both. */
export function resolveLoopback(hostname: string, options: LookupOptions, callback: LookupCallback): void {
  if (hostname !== "localhost" && !hostname.endsWith(".localhost"))
    return dns.lookup(hostname, options, callback);
  if (options.all) callback(null, LOOPBACK);
  else callback(null, "127.0.0.1", 4);
}
