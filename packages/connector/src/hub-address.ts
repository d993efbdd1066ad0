/** What may be named as a hub. */
import { isLoopbackHost } from "./loopback.ts";

/** What is wrong with an address that `isHubAddress` refuses, as the end of a sentence. */
export const HUB_ADDRESS_RULE =
  "must be https://, or http:// for a hub on this machine, such as https://hub.example.com";

/** True for the address of a hub. Over plain http the token could be read on its way, so that is for hubs on this machine only. */
export function isHubAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || url.username !== "" || url.password !== "") return false;
  if (url.protocol === "https:") return true;
  return url.protocol === "http:" && (isLoopbackHost(url.hostname) || url.hostname.endsWith(".localhost"));
}
