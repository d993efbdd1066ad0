/** Turns what a browser sends into what claudecodeui accepts: the real token where the page had only its placeholder. */
import type { HeaderList, RequestParts } from "../adapter.ts";
import { PLACEHOLDER_TOKEN } from "./placeholder.ts";

/** True where claudecodeui wants a token: its API and every WebSocket. */
export function needsToken(request: RequestParts): boolean {
  return request.kind === "websocket" || isApiPath(request.target);
}

/** True for paths below `/api/`; claudecodeui's router ignores case, so this does too. */
function isApiPath(target: string): boolean {
  return pathOf(target).startsWith("/api/");
}

/** True for paths below `/api/auth/`, whose answers may carry a token. */
export function isAuthPath(target: string): boolean {
  return pathOf(target).startsWith("/api/auth/");
}

/** True where the answer may be a page of the application. */
export function isPageRequest(request: RequestParts): boolean {
  return request.kind === "http" && request.method === "GET" && !isApiPath(request.target);
}

/**
 * The request as claudecodeui shall see it. The token goes into a header, never into the address: its WebSockets read the
 * address first and refuse a bad token there, so the placeholder is removed from it. Credentials of the browser's own (an
 * API key) are left alone. Without a token the placeholder is removed all the same, and claudecodeui answers 401.
 */
export function rewriteRequest(request: RequestParts, token: string | undefined): RequestParts {
  if (!needsToken(request)) return request;
  const target = withoutPlaceholder(request.target);
  let headers = request.headers.filter(
    ([name, value]) => !isHeader(name, "authorization") || !isPlaceholder(value),
  );
  const brings = headers.some(([name]) => isHeader(name, "authorization")) || hasQueryToken(target);
  if (token !== undefined && !brings) headers = [...headers, ["Authorization", `Bearer ${token}`]];
  if (isAuthPath(target)) headers = plainly(headers);
  return { ...request, target, headers };
}

/** True when the request carries this token, or left it to the connector to add one. */
export function usesOurToken(request: RequestParts, token: string | undefined): boolean {
  if (!needsToken(request) || hasQueryToken(withoutPlaceholder(request.target))) return false;
  const values = request.headers
    .filter(([name]) => isHeader(name, "authorization"))
    .map(([, value]) => value);
  return values.every(
    (value) => isPlaceholder(value) || (token !== undefined && value === `Bearer ${token}`),
  );
}

/** Header names compare without case. `name` must be lower case. */
export function isHeader(header: string, name: string): boolean {
  return header.toLowerCase() === name;
}

/** Answers that may carry a token are asked for uncompressed, so that they can be read in any case. */
function plainly(headers: HeaderList): HeaderList {
  return [...headers.filter(([name]) => !isHeader(name, "accept-encoding")), ["Accept-Encoding", "identity"]];
}

function pathOf(target: string): string {
  return (target.split("?", 1)[0] ?? "").toLowerCase();
}

function isPlaceholder(authorization: string): boolean {
  return authorization.split(/\s+/)[1] === PLACEHOLDER_TOKEN;
}

function hasQueryToken(target: string): boolean {
  return queryPairs(target).some((pair) => nameOf(pair) === "token");
}

function withoutPlaceholder(target: string): string {
  const pairs = queryPairs(target);
  const kept = pairs.filter((pair) => nameOf(pair) !== "token" || valueOf(pair) !== PLACEHOLDER_TOKEN);
  if (kept.length === pairs.length) return target;
  const path = target.slice(0, target.indexOf("?"));
  return kept.length === 0 ? path : `${path}?${kept.join("&")}`;
}

function queryPairs(target: string): string[] {
  const start = target.indexOf("?");
  return start < 0 ? [] : target.slice(start + 1).split("&");
}

const nameOf = (pair: string): string => decode(pair.split("=", 1)[0] ?? "");
const valueOf = (pair: string): string => decode(pair.slice(pair.indexOf("=") + 1));

function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return text;
  }
}
