/*!
 * Path mode's shim: the first script of an instance's pages and workers below `/clients/<label>/proxy`. It lets an application
 * believe that it is alone at the root of its host, by changing what it says to the browser: addresses, and names under which
 * something is kept.
 *
 * It is no security boundary. All of an origin's pages can do whatever the origin can: an application that wants to gets past
 * this script, to the hub and to every other instance, as its person. It keeps apart what behaves well, and nothing else.
 *
 * It holds nothing about an instance: whose page it is in it learns from its own address.
 */
import { prefix } from "./addresses.js";
import { patchCookies } from "./cookies.js";
import { patchElements } from "./elements.js";
import { patchNames } from "./names.js";
import { patchClients, patchNavigation, patchRequests, patchServiceWorkers } from "./requests.js";
import { patchStorage } from "./storage.js";
import { findProgram, patchWorkers, run } from "./workers.js";

const DONE = Symbol.for("orchestrator.shim");

function patch() {
  Object.defineProperty(globalThis, DONE, { value: true });
  patchRequests();
  patchNames();
  patchCookies();
  if (globalThis.Clients === undefined) patchServiceWorkers();
  patchClients();
  if (globalThis.document === undefined) return;
  globalThis.__ROUTER_BASENAME__ = prefix;
  patchStorage(prefix);
  patchNavigation();
  patchElements();
}

if (prefix !== undefined && globalThis[DONE] === undefined) {
  const program = findProgram();
  patch();
  patchWorkers();
  if (program !== undefined) run(program);
}
