/**
 * Keeps claudecodeui's token out of everything a browser receives, gives its pages the placeholder instead, and has them poll
 * less often.
 */
import * as v from "valibot";
import type { HeaderList, RequestParts, ResponseParts } from "../adapter.ts";
import { FEWER_POLLS } from "./fewer-polls.ts";
import { isTokenShaped } from "./jwt.ts";
import { PLACEHOLDER_TOKEN } from "./placeholder.ts";
import { isAuthPath, isHeader, isPageRequest } from "./rewrite-request.ts";

/** Where claudecodeui's page keeps its token. */
const STORAGE_KEY = "auth-token";

const SCRIPT = `<script>try{localStorage.setItem(${JSON.stringify(STORAGE_KEY)},${JSON.stringify(PLACEHOLDER_TOKEN)})}catch(error){console.warn(error)};${FEWER_POLLS}</script>`;

export interface RewrittenResponse {
  response: ResponseParts;
  rewriteBody?: (body: string) => string;
}

/**
 * The answer as the browser shall see it. `onToken` is told each token claudecodeui issued in it: to a person who signed in
 * on its own page, for example.
 */
export function rewriteResponse(
  request: RequestParts,
  response: ResponseParts,
  onToken: (token: string) => void,
): RewrittenResponse {
  const kept = { ...response, headers: without(response.headers, "x-refreshed-token") };
  if (isAuthPath(request.target)) return rewriteAuthAnswer(kept, onToken);
  if (!isPageRequest(request) || kept.status !== 200 || !isHtml(kept.headers)) return { response: kept };
  return { response: kept, rewriteBody: injectPlaceholder };
}

/**
 * Puts the script where it runs before any other: right after `<head>`, or where a page without one would have it. Never
 * before the doctype, which would switch the page to quirks mode.
 */
export function injectPlaceholder(html: string): string {
  const prologue = /^\uFEFF?(?:\s|<!--[^]*?-->|<!doctype[^>]*>|<html(?:\s[^>]*)?>)*(?:<head(?:\s[^>]*)?>)?/i;
  const at = prologue.exec(html)?.[0].length ?? 0;
  return html.slice(0, at) + SCRIPT + html.slice(at);
}

function rewriteAuthAnswer(response: ResponseParts, onToken: (token: string) => void): RewrittenResponse {
  // Asked for uncompressed; one that is not is withheld rather than passed on unread.
  if (isEncoded(response.headers)) {
    return {
      response: { ...response, headers: without(response.headers, "content-encoding") },
      rewriteBody: () => "{}",
    };
  }
  return { response, rewriteBody: (body) => withoutTokens(body, onToken) };
}

const IssuedSchema = v.looseObject({ token: v.string() });

function withoutTokens(body: string, onToken: (token: string) => void): string {
  const issued = v.safeParse(v.pipe(v.string(), v.parseJson(), IssuedSchema), body);
  if (!issued.success || !isTokenShaped(issued.output.token)) return body;
  onToken(issued.output.token);
  return JSON.stringify({ ...issued.output, token: PLACEHOLDER_TOKEN });
}

function isHtml(headers: HeaderList): boolean {
  return headers.some(([name, value]) => isHeader(name, "content-type") && /^\s*text\/html\b/i.test(value));
}

function isEncoded(headers: HeaderList): boolean {
  return headers.some(
    ([name, value]) => isHeader(name, "content-encoding") && value.trim().toLowerCase() !== "identity",
  );
}

function without(headers: HeaderList, name: string): HeaderList {
  return headers.filter(([header]) => !isHeader(header, name));
}
