// What is kept or shared under a name, of which there is one set for all that is on the hub's origin: databases, caches, channels,
// locks, files. An instance's names get its prefix on their way in, and lose it on their way out.
import { prefix } from "./addresses.js";
import { argument, replace, wrap, wrapProperty } from "./patching.js";
import { request } from "./requests.js";

const mark = `${prefix}|`;
const marked = (name) => mark + String(name);
const isMarked = (name) => name.startsWith(mark);
const unmarked = (name) => (typeof name === "string" && isMarked(name) ? name.slice(mark.length) : name);
const reads = { read: unmarked };

export function patchNames() {
  patchDatabases();
  patchCaches();
  const { BroadcastChannel, LockManager, Lock, StorageManager } = globalThis;
  wrap(globalThis, "BroadcastChannel", argument(0, marked));
  wrapProperty(BroadcastChannel?.prototype, "name", reads);
  wrap(LockManager?.prototype, "request", argument(0, marked));
  wrapProperty(Lock?.prototype, "name", reads);
  replace(LockManager?.prototype, "query", async (native, self, args) => {
    const all = await Reflect.apply(native, self, args);
    const own = (locks) =>
      locks.filter(({ name }) => isMarked(name)).map((lock) => ({ ...lock, name: unmarked(lock.name) }));
    return { held: own(all.held), pending: own(all.pending) };
  });
  replace(StorageManager?.prototype, "getDirectory", async (native, self, args) => {
    const root = await Reflect.apply(native, self, args);
    return root.getDirectoryHandle(prefix.replaceAll("/", "-"), { create: true });
  });
}

function patchDatabases() {
  const { IDBFactory, IDBDatabase } = globalThis;
  for (const name of ["open", "deleteDatabase"]) wrap(IDBFactory?.prototype, name, argument(0, marked));
  wrapProperty(IDBDatabase?.prototype, "name", reads);
  replace(IDBFactory?.prototype, "databases", async (native, self, args) => {
    const all = await Reflect.apply(native, self, args);
    return all.filter(({ name }) => isMarked(name)).map((one) => ({ ...one, name: unmarked(one.name) }));
  });
}

function patchCaches() {
  const storage = globalThis.CacheStorage?.prototype;
  const cache = globalThis.Cache?.prototype;
  if (storage === undefined) return;
  const { keys, open } = storage;
  const ownNames = async (self) => (await Reflect.apply(keys, self, [])).filter(isMarked);
  for (const name of ["open", "has", "delete"]) wrap(storage, name, argument(0, marked));
  replace(storage, "keys", async (_, self) => (await ownNames(self)).map(unmarked));
  replace(storage, "match", async (_, self, [given, options]) => {
    const named = options?.cacheName;
    const names = named === undefined ? await ownNames(self) : [marked(named)];
    for (const name of names) {
      if (named !== undefined && !(await ownNames(self)).includes(name)) continue;
      const found = await (await Reflect.apply(open, self, [name])).match(given, options);
      if (found) return found;
    }
    return undefined;
  });
  for (const name of ["add", "match", "matchAll", "delete", "keys", "put"])
    wrap(cache, name, argument(0, request));
  wrap(
    cache,
    "addAll",
    argument(0, (all) => Array.from(all, request)),
  );
}
