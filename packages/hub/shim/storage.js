// localStorage and sessionStorage, of which there is one for all that is on the hub's origin: each instance sees what is its own
// as if there were nothing else, and says nothing of what is not.
import { wrap, wrapProperty } from "./patching.js";

/** For each view of an instance the storage behind it, and the other way round. */
const behind = new WeakMap();
const views = new WeakMap();
const native = {};

/** Begins the keys of what is this instance's. */
let mark;

export function patchStorage(prefix) {
  mark = `${prefix}|`;
  if (globalThis.Storage === undefined) return;
  for (const name of ["getItem", "setItem", "removeItem", "key"]) native[name] = Storage.prototype[name];
  native.length = Object.getOwnPropertyDescriptor(Storage.prototype, "length").get;
  native.clear = Storage.prototype.clear;
  patchMethods();
  for (const name of ["localStorage", "sessionStorage"]) wrapProperty(globalThis, name, { read: viewOf });
  patchEvents();
}

const call = (name, storage, ...args) => Reflect.apply(native[name], storage, args);
const storageOf = (self) => behind.get(self) ?? self;

function ownKeys(storage) {
  const keys = Array.from({ length: call("length", storage) }, (_, index) => call("key", storage, index));
  return keys.filter((key) => key?.startsWith(mark)).map((key) => key.slice(mark.length));
}

function patchMethods() {
  const { prototype } = Storage;
  const methods = {
    getItem: (storage, args) => call("getItem", storage, ...marked(args)),
    setItem: (storage, args) => call("setItem", storage, ...marked(args)),
    removeItem: (storage, args) => call("removeItem", storage, ...marked(args)),
    key: (storage, args) =>
      args.length === 0 ? call("key", storage) : (ownKeys(storage)[args[0] >>> 0] ?? null),
    clear: (storage) => ownKeys(storage).forEach((key) => call("removeItem", storage, mark + key)),
  };
  for (const [name, method] of Object.entries(methods)) {
    const value = new Proxy(prototype[name], { apply: (_, self, args) => method(storageOf(self), args) });
    Object.defineProperty(prototype, name, { value });
  }
  const get = new Proxy(native.length, { apply: (_, self) => ownKeys(storageOf(self)).length });
  Object.defineProperty(prototype, "length", { get });
}

function marked(args) {
  return args.length === 0 ? args : args.with(0, mark + String(args[0]));
}

function viewOf(storage) {
  if (!views.has(storage)) {
    const view = new Proxy(Object.create(Storage.prototype), handlerOf(storage));
    views.set(storage, view);
    behind.set(view, storage);
  }
  return views.get(storage);
}

/** As a storage does it: what its class has comes first when a name is read, never when one is written. */
function handlerOf(storage) {
  const isItem = (key) => typeof key === "string" && !(key in Storage.prototype);
  const read = (key) => call("getItem", storage, mark + key);
  return {
    get: (target, key, self) => (isItem(key) ? (read(key) ?? undefined) : Reflect.get(target, key, self)),
    set(target, key, value) {
      if (typeof key === "symbol") return Reflect.set(target, key, value);
      call("setItem", storage, mark + key, value);
      return true;
    },
    has: (target, key) => (isItem(key) ? read(key) !== null : key in target),
    deleteProperty(target, key) {
      if (!isItem(key)) return Reflect.deleteProperty(target, key);
      call("removeItem", storage, mark + key);
      return true;
    },
    ownKeys: (target) => [...ownKeys(storage), ...Reflect.ownKeys(target)],
    getOwnPropertyDescriptor(target, key) {
      const value = isItem(key) ? read(key) : null;
      if (value === null) return Reflect.getOwnPropertyDescriptor(target, key);
      return { value, writable: true, enumerable: true, configurable: true };
    },
    defineProperty(target, key, descriptor) {
      if (typeof key === "symbol") return Reflect.defineProperty(target, key, descriptor);
      call("setItem", storage, mark + key, descriptor.value);
      return true;
    },
    preventExtensions: () => false,
  };
}

function patchEvents() {
  // This listener is the first there is.
  const rawKey = Object.getOwnPropertyDescriptor(StorageEvent.prototype, "key").get;
  addEventListener(
    "storage",
    (event) => {
      const key = Reflect.apply(rawKey, event, []);
      if (event.isTrusted && key !== null && !key.startsWith(mark)) event.stopImmediatePropagation();
    },
    true,
  );
  wrapProperty(StorageEvent.prototype, "key", {
    read: (key, event) => (event.isTrusted ? (key?.slice(mark.length) ?? null) : key),
  });
  wrapProperty(StorageEvent.prototype, "storageArea", { read: (storage) => storage && viewOf(storage) });
  wrap(globalThis, "StorageEvent", (args) =>
    behind.has(args[1]?.storageArea)
      ? args.with(1, { ...args[1], storageArea: behind.get(args[1].storageArea) })
      : args,
  );
}
