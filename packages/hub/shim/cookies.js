// Cookies, which the browser keeps apart by their paths, and hub and instance by their names.
import { isBelow, prefix } from "./addresses.js";
import { replace, wrap, wrapProperty } from "./patching.js";

/** As `HUB_COOKIE_PREFIX`. */
const HUB_COOKIE = /^__Host-orchestrator-/i;
/** Browsers take the first only with `Path=/`; the hub keeps what servers send in the same way. */
const [HOST_COOKIE, KEPT_AS] = [/^\s*__Host-/i, "__Secure-path-"];

export function patchCookies() {
  wrapProperty(globalThis.Document?.prototype, "cookie", {
    read: (text) => text.split("; ").filter(isOwnName).map(ownName).join("; "),
    write: placedCookie,
  });
  const store = globalThis.CookieStore?.prototype;
  wrap(store, "set", (args) =>
    args.length > 1 ? [placed({ name: args[0], value: args[1] })] : args.map(placed),
  );
  wrap(store, "delete", (args) => args.map((one) => placed(typeof one === "object" ? one : { name: one })));
  for (const name of ["get", "getAll"])
    replace(store, name, async (native, self, args) => {
      const found = await Reflect.apply(native, self, args.map(asked));
      if (Array.isArray(found)) return found.filter((one) => isOwnName(one.name)).map(own);
      return found !== null && isOwnName(found.name) ? own(found) : null;
    });
}

/** What is written to `document.cookie`. */
function placedCookie(text) {
  const [pair, ...attributes] = String(text).split(";");
  const kept = attributes.filter((one) => !/^\s*domain\s*(?:=|$)/i.test(one));
  const placedPath = (_, name, path) => name + placePath(path.trim());
  return [
    pair.replace(HOST_COOKIE, KEPT_AS),
    ...kept.map((one) => one.replace(/^(\s*path\s*=\s*)(\/.*)/i, placedPath)),
  ].join(";");
}

function placePath(path) {
  if (isBelow(path)) return path;
  return path === "/" ? prefix : prefix + path;
}

const isOwnName = (text) => !HUB_COOKIE.test(text);
const ownName = (text) => (text.startsWith(KEPT_AS) ? `__Host-${text.slice(KEPT_AS.length)}` : text);
const keptName = (name) => String(name).replace(HOST_COOKIE, KEPT_AS);
const own = (cookie) => ({ ...cookie, name: ownName(cookie.name) });

/** A cookie to write. */
function placed(cookie) {
  const { name, path = "/" } = cookie;
  return { ...cookie, name: keptName(name), path: placePath(path), domain: null };
}

/** Cookies to read. */
function asked(which) {
  if (typeof which !== "object") return keptName(which);
  return which.name === undefined ? which : { ...which, name: keptName(which.name) };
}
