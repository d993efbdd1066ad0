/**
 * Which header fields cross the tunnel (security.md 5, 6, 7). Hop-by-hop fields end here in both directions; what names
 * the hub's own cookies or identity is removed and, where the hub vouches for it, set anew.
 */
import { IDENTITY_FIELDS, type HeaderFields } from "@ai-orchestrator/protocol";
import { gitHubIdOf, type ToldMemberships } from "../auth/instance-access.ts";
import { HUB_COOKIE_PREFIX } from "../auth/session.ts";

const MAX_NAME = 64;

const HOP_BY_HOP = new Set([
  "connection",
  "keep-alive",
  "proxy-authenticate",
  "proxy-authorization",
  "proxy-connection",
  "te",
  "trailer",
  "transfer-encoding",
  "upgrade",
  "http2-settings",
]);

/**
 * What a browser may not tell an instance, because only the hub may, or because it is about the hub's own edge. Matched
 * with `-` for `_`: many servers make no difference.
 */
const NOT_FROM_BROWSER =
  /^(?:host|forwarded|x-forwarded-.*|x-real-ip|x-orchestrator-.*|cf-.*|cdn-loop|true-client-ip)$/;

/** Belongs to the WebSocket between browser and hub; the connector makes its own. */
const WEBSOCKET_HANDSHAKE = /^sec-websocket-(?:key|version|extensions|accept)$/;

/**
 * What an instance may not tell a browser: `clear-site-data` reaches the hub's cookies on a shared site, `alt-svc` and
 * HSTS speak for a host that is not the instance's, and caches in between are the hub's affair.
 */
const NOT_FROM_INSTANCE =
  /^(?:alt-svc|cdn-cache-control|clear-site-data|set-cookie2|strict-transport-security|surrogate-control|x-orchestrator-.*)$/;

/** What is done with a field, by its name: passed on, dropped, or passed on after a look at its value. */
type Rule = "pass" | "drop" | "look";

/** A browser says the same names again and again; patterns are asked once for each. More than this were made up. */
const MAX_RULES = 500;

function remembered(ruleOf: (name: string) => Rule): (name: string) => Rule {
  const rules = new Map<string, Rule>();
  return (name) => {
    const known = rules.get(name);
    if (known !== undefined) return known;
    const rule = ruleOf(name);
    if (rules.size < MAX_RULES && name.length <= MAX_NAME) rules.set(name, rule);
    return rule;
  };
}

const requestRule = remembered((name) => {
  if (HOP_BY_HOP.has(name) || WEBSOCKET_HANDSHAKE.test(name)) return "drop";
  if (NOT_FROM_BROWSER.test(name.replaceAll("_", "-"))) return "drop";
  return name === "cookie" ? "look" : "pass";
});

const responseRule = remembered((name) => {
  if (HOP_BY_HOP.has(name) || WEBSOCKET_HANDSHAKE.test(name) || NOT_FROM_INSTANCE.test(name)) return "drop";
  return name === "set-cookie" || name === "content-length" || name === "cache-control" ? "look" : "pass";
});

/** Who looks and where they look from, as the hub verified it. */
export interface VerifiedViewer extends Partial<ToldMemberships> {
  userId: string;
  login: string;
  /** The sign-in, and when it must be asked after, milliseconds since the epoch. */
  sessionId: string;
  checkAt: number;
  /** Origin of the instance, as the browser sees it. */
  origin: string;
  /** In path mode the path below which they see it there, `/clients/<label>/proxy`; in host mode "". */
  prefix: string;
  /** Of a request that a copy might answer: the generation of the one that the Worker has, "" where it has none. */
  copy?: string | undefined;
}

/** The header fields of a browser's request that an instance shall see. */
export function requestFields(headers: Headers, viewer: VerifiedViewer): HeaderFields {
  const dropped = namedInConnection(headers.get("connection"));
  const fields: HeaderFields = [];
  for (const [name, value] of headers) {
    const rule = requestRule(name);
    if (rule === "drop" || dropped?.has(name)) continue;
    const kept = rule === "look" ? withoutHubCookies(value) : value;
    if (kept !== "") fields.push([name, kept]);
  }
  const { origin } = viewer;
  const host = origin.indexOf("://");
  fields.push(["x-forwarded-host", origin.slice(host + 3)], ["x-forwarded-proto", origin.slice(0, host)]);
  if (viewer.prefix !== "") fields.push(["x-forwarded-prefix", viewer.prefix]);
  addIdentity(fields, viewer);
  return fields;
}

/** Who looks, in the words of the protocol: people of GitHub's by GitHub's id. */
function addIdentity(fields: HeaderFields, viewer: VerifiedViewer): void {
  const { userId, login, organizations = [], teams = [] } = viewer;
  fields.push([IDENTITY_FIELDS.userId, gitHubIdOf(userId) ?? userId], [IDENTITY_FIELDS.login, login]);
  if (organizations.length > 0) fields.push([IDENTITY_FIELDS.organizations, organizations.join(", ")]);
  if (teams.length > 0) fields.push([IDENTITY_FIELDS.teams, teams.join(", ")]);
}

/** The header fields of an instance's answer that a browser shall see. */
export function responseHeaders(fields: HeaderFields): Headers {
  const dropped = namedInConnection(connectionOf(fields));
  const headers = new Headers();
  let caching = "";
  for (const [name, value] of fields) {
    const rule = responseRule(name);
    if (rule === "drop" || dropped?.has(name)) continue;
    if (rule === "pass") headers.append(name, value);
    else if (name === "cache-control") caching = caching === "" ? value : `${caching}, ${value}`;
    else appendLooked(headers, name, value);
  }
  headers.set("cache-control", privately(caching));
  // A service worker asks for framed pages as for others, so whose frame it is can only be checked by the browser.
  headers.append("content-security-policy", "frame-ancestors 'self'");
  return headers;
}

function appendLooked(headers: Headers, name: string, value: string): void {
  const kept = name === "set-cookie" ? instanceCookie(value) : value;
  if (kept === undefined) return;
  // A length that is not one would be taken for one by somebody.
  if (name !== "content-length" || /^\d{1,15}$/.test(kept)) headers.append(name, kept);
}

function connectionOf(fields: HeaderFields): string {
  let value = "";
  for (const [name, text] of fields) if (name === "connection") value = `${value},${text}`;
  return value;
}

/** Undefined where it names none. */
function namedInConnection(value: string | null): Set<string> | undefined {
  if (value === null || value === "") return undefined;
  const names = value.toLowerCase().split(",");
  return new Set(names.map((name) => name.trim()));
}

/** Several `Cookie` fields are joined with commas, which may also stand in a value: they part only what is the hub's. */
const COOKIE_SEPARATOR = new RegExp(`;|,(?=\\s*=?\\s*${HUB_COOKIE_PREFIX})`, "i");

function withoutHubCookies(cookie: string): string {
  const kept = cookie.split(COOKIE_SEPARATOR).filter((pair) => !isHubCookie(pair));
  return kept.join(";").trim();
}

/**
 * True for `name=value` of one of the hub's cookies, whatever its case. A cookie without a name counts by its value: browsers
 * send `=a=b` as `a=b`.
 */
function isHubCookie(pair: string): boolean {
  const text = pair.trim().replace(/^=\s*/, "");
  return text.toLowerCase().startsWith(HUB_COOKIE_PREFIX.toLowerCase());
}

/** An instance's cookie without `Domain`, so that it stays on its own host; undefined if it takes a name of the hub's. */
function instanceCookie(value: string): string | undefined {
  const [pair = "", ...attributes] = value.split(";");
  if (isHubCookie(pair)) return undefined;
  const kept = attributes.filter((attribute) => !/^\s*domain\s*(?:=|$)/i.test(attribute));
  return [pair, ...kept].join(";");
}

/** Answers to a signed-in viewer may live in their browser, never in a shared cache. */
function privately(value: string): string {
  if (value === "") return "private";
  const directives = value.split(",").map((directive) => directive.trim());
  const kept = directives.filter((directive) => !/^(?:public|s-maxage\s*=.*|)$/i.test(directive));
  const isPrivate = kept.some((directive) => /^(?:private|no-store)$/i.test(directive));
  return (isPrivate ? kept : ["private", ...kept]).join(", ");
}
