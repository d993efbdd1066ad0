// Workers, which have an environment of their own: they are started with this script, which then runs what was asked for.
import { prefix, runFrom, shim, toHub } from "./addresses.js";
import { argument, wrap } from "./patching.js";

const SCRIPT = `${prefix}/.orchestrator/shim.js`;

export function patchWorkers() {
  wrap(globalThis, "Worker", (args) => argument(0, (script) => started(script, args[1], true))(args));
  wrap(globalThis, "SharedWorker", (args) => argument(0, (script) => started(script, args[1], false))(args));
  wrap(globalThis, "importScripts", (scripts) => scripts.map(toHub));
}

/** The address to start a worker from, for the one of its program. `mayCopy`: nobody else is to find it by its address. */
function started(script, options, mayCopy) {
  let url;
  try {
    url = new URL(toHub(script), globalThis.document?.baseURI ?? location.href);
    if (url.origin !== globalThis.origin) return script;
    if (url.protocol === "blob:") {
      if (!mayCopy) return script;
      url = copied(url);
    }
  } catch {
    // The browser's own error is the one to be seen.
    return script;
  }
  const start = new URL(SCRIPT, globalThis.origin);
  const version = new URL(shim).searchParams.get("v");
  if (version !== null) start.searchParams.set("v", version);
  start.searchParams.set("run", url.href);
  if (options?.type === "module") start.searchParams.set("type", "module");
  return start.href;
}

/** A text that is in memory may be thrown away as soon as the worker is made, and this one runs it later. */
function copied(url) {
  const reading = new XMLHttpRequest();
  reading.open("GET", url.href, false);
  reading.send();
  return new URL(URL.createObjectURL(new Blob([reading.responseText], { type: "text/javascript" })));
}

/** Where this script was started in place of a worker's: the program, and whether it is a module. */
export function findProgram() {
  if (globalThis.importScripts === undefined || location.pathname !== SCRIPT) return undefined;
  const { searchParams } = new URL(location.href);
  const address = searchParams.get("run");
  if (address === null) return undefined;
  const it = { address, isModule: searchParams.get("type") === "module" };
  runFrom(address);
  const url = new URL(address);
  Object.defineProperty(globalThis, "location", { get: () => url, configurable: true, enumerable: true });
  return it;
}

/** Runs it. What arrives before a module has begun is given to it then. */
export function run({ address, isModule }) {
  if (!isModule) return globalThis.importScripts(address);
  const held = [];
  const hold = (event) => {
    event.stopImmediatePropagation();
    held.push(event);
  };
  const types = ["message", "messageerror", "connect"];
  for (const type of types) addEventListener(type, hold);
  import(address).catch(reportError).finally(() => {
    for (const type of types) removeEventListener(type, hold);
    for (const event of held) dispatchEvent(new event.constructor(event.type, event));
  });
}
