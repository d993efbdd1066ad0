// What asks for addresses: requests, sockets, navigations, service workers.
import { isBelow, prefix, toHub } from "./addresses.js";
import { argument, replace, wrap, wrapProperty } from "./patching.js";

const NativeRequest = globalThis.Request;

/** A request, or the address of one. */
export function request(given) {
  if (given?.[Symbol.toStringTag] !== "Request") return toHub(given);
  const address = toHub(given.url);
  // Made in a frame without this script.
  return address === given.url || given.mode === "navigate" ? given : new NativeRequest(address, given);
}

/** Requests and sockets, of pages and workers alike. */
export function patchRequests() {
  wrap(globalThis, "fetch", argument(0, request));
  wrap(globalThis, "fetchLater", argument(0, request));
  wrap(globalThis, "Request", argument(0, request));
  wrap(globalThis.XMLHttpRequest?.prototype, "open", argument(1, toHub));
  for (const name of ["WebSocket", "EventSource"]) wrap(globalThis, name, argument(0, toHub));
  wrap(globalThis, "Notification", argument(1, pictures));
  wrap(globalThis.ServiceWorkerRegistration?.prototype, "showNotification", argument(1, pictures));
}

function pictures(options) {
  const changed = { ...options };
  for (const name of ["icon", "badge", "image"]) if (changed[name]) changed[name] = toHub(changed[name]);
  return changed;
}

export function patchNavigation() {
  for (const name of ["pushState", "replaceState"])
    wrap(History.prototype, name, (args) =>
      (args[2] ?? null) === null ? args : args.with(2, withSlash(toHub(args[2]))),
    );
  wrap(globalThis, "open", (args) => (args[0] ? argument(0, toHub)(args) : args));
  wrap(Navigator.prototype, "sendBeacon", argument(0, toHub));
  wrap(Navigator.prototype, "registerProtocolHandler", argument(1, toHub));
  wrap(globalThis.Navigation?.prototype, "navigate", argument(0, toHub));
  wrap(globalThis.Worklet?.prototype, "addModule", argument(0, toHub));
  globalThis.navigation?.addEventListener("navigate", onNavigate);
  if (location.pathname === prefix) history.replaceState(history.state, "", location.href);
}

/** Relative addresses go by what the page's address is up to its last slash. */
function withSlash(address) {
  const text = String(address);
  const at = text.indexOf(prefix) + prefix.length;
  const { origin } = location;
  const isPrefix =
    [prefix, origin + prefix].includes(text.slice(0, at)) && /^(?:[?#]|$)/.test(text.slice(at));
  return isPrefix ? `${text.slice(0, at)}/${text.slice(at)}` : address;
}

/** `location` cannot be replaced. What a script sends the page to by it is stopped, and sent on, where the browser tells of it. */
function onNavigate(event) {
  const { cancelable, userInitiated, destination, formData, navigationType } = event;
  // Links and forms have been corrected; a person who leaves for the hub means the hub.
  if (
    !cancelable ||
    userInitiated ||
    formData ||
    navigationType === "traverse" ||
    navigationType === "reload"
  )
    return;
  const address = toHub(destination.url);
  if (address === destination.url) return;
  event.preventDefault();
  if (navigationType === "replace") location.replace(address);
  else location.assign(address);
}

/** The hub has a service worker of its own, which answers for every page below `/` that has none. */
export function patchServiceWorkers() {
  const container = globalThis.ServiceWorkerContainer?.prototype;
  if (container === undefined) return;
  let settle;
  const ready = new Promise((resolve) => (settle = resolve));
  const follow = (registration) => {
    if (!isOwn(registration)) return;
    if (registration.active) return settle(registration);
    const worker = registration.installing ?? registration.waiting;
    worker?.addEventListener("statechange", () => follow(registration), { once: true });
  };
  replace(container, "register", async (native, self, [script, options, ...rest]) => {
    const held = options?.scope === undefined ? options : { ...options, scope: toHub(options.scope) };
    const registration = await Reflect.apply(native, self, [toHub(script), held, ...rest]);
    follow(registration);
    return registration;
  });
  replace(container, "getRegistration", async (native, self, args) => {
    const registration = await Reflect.apply(native, self, argument(0, toHub)(args));
    return isOwn(registration) ? registration : undefined;
  });
  replace(container, "getRegistrations", async (native, self, args) =>
    (await Reflect.apply(native, self, args)).filter(isOwn),
  );
  wrapProperty(container, "controller", {
    read: (worker) => (worker && isBelow(new URL(worker.scriptURL).pathname) ? worker : null),
  });
  wrapProperty(container, "ready", {
    read: (native) => {
      native.then(follow);
      return ready;
    },
  });
}

function isOwn(registration) {
  return registration !== undefined && isBelow(new URL(registration.scope).pathname);
}

/** What only service workers have. */
export function patchClients() {
  wrap(globalThis.Clients?.prototype, "openWindow", argument(0, toHub));
  wrap(globalThis.WindowClient?.prototype, "navigate", argument(0, toHub));
  replace(globalThis.Clients?.prototype, "matchAll", async (native, self, args) =>
    (await Reflect.apply(native, self, args)).filter(
      ({ url }) => url.startsWith("blob:") || isBelow(new URL(url).pathname),
    ),
  );
}
