// Which addresses mean the instance, and where it is: the one rule of all that is rewritten. An application behind path mode
// believes that it is at the root of its host; what it asks for there is below the prefix.

const HERE = globalThis.document?.currentScript?.src ?? location.href;
const PREFIX = /^\/clients\/[^/]+\/proxy(?=\/|$)/;

/** `/clients/<label>/proxy`; undefined where this script was not served by path mode. */
export const prefix = PREFIX.exec(new URL(HERE).pathname)?.[0];
/** This script's own address. In a service worker, which needs no other worker, that of the service worker. */
export const shim = HERE;

const home = new URL(globalThis.origin);
/** What a worker was made from, where it was started by this script. */
let program;

/** From now on what is relative is so to `address`. */
export function runFrom(address) {
  program = address;
}

/** Whether a path is the prefix or below it. */
export function isBelow(path) {
  return path.startsWith(prefix) && /^(?:[/?#]|$)/.test(path.slice(prefix.length));
}

/** The address to use for one that the application has given, a string or what becomes one; the same where nothing needs to change. */
export function toHub(given) {
  const text = String(given).trim();
  // Nearly all of them.
  if (/^\/(?![/\\])/.test(text) && !hasDots(text)) return isBelow(text) ? given : prefix + text;
  return isElsewhere(text) || isRightAlready(text) ? given : resolve(given, text);
}

/** Another scheme. */
function isElsewhere(text) {
  return /^(?!(?:https?|wss?):)[a-z][a-z\d+.-]*:/i.test(text);
}

/** Whatever is relative leads where it should, where the page's own address is what it goes by. */
function isRightAlready(text) {
  if (program !== undefined) return false;
  if (text === "" || /^[#?]/.test(text)) return true;
  return !/^(?:[/\\]|[a-z][a-z\d+.-]*:)/i.test(text) && !hasDots(text) && base().pathname !== prefix;
}

/** A path with these may lead out of the prefix; at the root of a host it would not. */
function hasDots(text) {
  return /\.\.|%2e/i.test(text);
}

/** Where the application believes to be is what its relative addresses go by. */
function resolve(given, text) {
  let url;
  try {
    const from = base();
    if (isBelow(from.pathname)) from.pathname = from.pathname.slice(prefix.length);
    url = new URL(text, from);
  } catch {
    return given;
  }
  if (url.host !== home.host || url.protocol.replace("ws", "http") !== home.protocol) return given;
  const isWhole = program !== undefined || /^(?:[a-z]+:|[/\\]{2})/i.test(text);
  if (isBelow(url.pathname) && isWhole && program === undefined) return given;
  if (!isBelow(url.pathname)) url.pathname = prefix + url.pathname;
  return isWhole ? url.href : url.pathname + url.search + url.hash;
}

function base() {
  return new URL(program ?? globalThis.document?.baseURI ?? location.href);
}

/** The same for a list of pictures, each with what it is for. */
export function srcset(text) {
  return String(text).replace(
    /([\s,]*)(\S*[^\s,])(,+(?=\s|$)|[^,]*)/g,
    (_, before, address, after) => before + toHub(address) + after,
  );
}

/** The same for addresses between spaces. */
export function list(text) {
  return String(text).replace(/\S+/g, toHub);
}

/** The same for what is in a stylesheet, or a part of one. */
export function css(text) {
  if (typeof text !== "string" || !/url\(|@import/i.test(text)) return text;
  return text.replace(
    /(url\(\s*["']?|@import\s+["'])([^"')]+)/gi,
    (_, before, address) => before + toHub(address),
  );
}
