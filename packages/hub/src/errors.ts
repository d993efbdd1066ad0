/**
 * Errors people and programs see: a stable code each, and one switch that says what it means. `docs/errors.md` lists
 * them. Used on the hub's own host and, by ingress, on the instances'.
 */
import { assetPath } from "./assets.ts";
import { instanceRoutes } from "./routes.ts";
import { securityHeaders } from "./security-headers.ts";

export const ERROR_CODES = [
  "bad_request",
  "code_expired",
  "connection_lost",
  "enter_refused",
  "instance_offline",
  "instance_unreachable",
  "internal_error",
  "not_allowed",
  "not_found",
  "origin_refused",
  "sign_in_required",
  "too_large",
  "too_many_streams",
  "too_many_tokens",
  "upstream_failed",
  "upstream_timeout",
] as const;
export type ErrorCode = (typeof ERROR_CODES)[number];

export interface ErrorMeaning {
  status: number;
  title: string;
  /** What happened, in a sentence. */
  happened: string;
  /** What to do next, in a sentence. */
  next: string;
}

/** An error thrown inside the hub's pages; `app.ts` turns it into its page or JSON. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly code: ErrorCode;
  readonly detail: ErrorDetail;

  constructor(code: ErrorCode, detail: ErrorDetail = {}) {
    super(code);
    this.code = code;
    this.detail = detail;
  }
}

/** What is known beyond the code. All of it is escaped. */
export interface ErrorDetail {
  /** Which instance it is about: its label or name. */
  instance?: string;
  /** A sentence that says more about what happened than the code does; without secrets, paths or queries. */
  message?: string;
  /** Where the page's link leads, and its words. */
  link?: { href: string; text: string };
  headers?: [name: string, value: string][];
}

/** What a code means; the only place that says so. */
export function errorMeaning(code: ErrorCode): ErrorMeaning {
  switch (code) {
    case "bad_request":
      return meaning(
        400,
        "That request is not valid",
        "The hub could not read it.",
        "Go back and try again.",
      );
    case "sign_in_required":
      return meaning(
        401,
        "Sign in first",
        "You are not signed in, or your sign-in ended.",
        "Sign in and come back.",
      );
    case "code_expired":
      return meaning(
        401,
        "This link no longer works",
        "A sign-in link works once and only for a short time; this one was used or is too old.",
        "Press Enter in the hub's terminal for a new link, or run `npm start` again.",
      );
    case "enter_refused":
      return meaning(
        403,
        "This way in no longer works",
        "The hub's code for this browser was used, is older than a minute, or belongs to another browser.",
        "Open the instance again; if that does not help, allow cookies for this site.",
      );
    case "not_allowed":
      return meaning(403, "Not yours to open", "You are signed in, but not as its owner.", "Ask its owner.");
    case "origin_refused":
      return meaning(
        403,
        "Refused",
        "The request came from another site than this hub.",
        "Open the hub's own page and do it there.",
      );
    case "not_found":
      return meaning(
        404,
        "Nothing here",
        "There is no such page.",
        "Check the address, or go to the dashboard.",
      );
    case "too_large":
      return meaning(
        413,
        "Too large",
        "The request is larger than what is taken here.",
        "Send less at once.",
      );
    case "too_many_tokens":
      return meaning(
        409,
        "Too many tokens",
        "You have as many tokens as the hub keeps.",
        "Revoke one you do not use.",
      );
    case "internal_error":
      return meaning(500, "Something broke in the hub", "It was logged.", "Try again.");
    default:
      return instanceErrorMeaning(code);
  }
}

function instanceErrorMeaning(code: InstanceErrorCode): ErrorMeaning {
  switch (code) {
    case "connection_lost":
      return meaning(
        502,
        "The connection was lost",
        "The instance's connection to the hub broke before it answered.",
        "Try again; it usually comes back by itself.",
      );
    case "instance_unreachable":
      return meaning(
        502,
        "The web app refuses connections",
        "The connector is here, but the web app beside it does not answer.",
        "Start it on its machine, then try again.",
      );
    case "upstream_failed":
      return meaning(
        502,
        "The web app's answer broke off",
        "The web app closed the connection, or sent an answer that is not valid HTTP.",
        "Try again; its own log says more.",
      );
    case "instance_offline":
      return meaning(
        503,
        "This instance is unreachable",
        "It is not connected to the hub now.",
        "This page opens it by itself when it is back. On its machine, check that the connector runs.",
      );
    case "too_many_streams":
      return meaning(
        503,
        "Too much at once",
        "This instance handles as many requests as it can.",
        "Try again soon.",
      );
    case "upstream_timeout":
      return meaning(
        504,
        "The web app did not answer",
        "It took too long.",
        "Try again; its own log says more.",
      );
  }
}

type InstanceErrorCode =
  | "connection_lost"
  | "instance_offline"
  | "instance_unreachable"
  | "too_many_streams"
  | "upstream_failed"
  | "upstream_timeout";

function meaning(status: number, title: string, happened: string, next: string): ErrorMeaning {
  return { status, title, happened, next };
}

/** The answer for an error: a page for someone who navigates, else `{"error":{"code","message"}}`. Never stored. */
export function errorResponse(code: ErrorCode, request: Request, detail: ErrorDetail = {}): Response {
  const means = errorMeaning(code);
  const happened = detail.message ?? means.happened;
  const headers = new Headers(securityHeaders(new URL(request.url).origin));
  headers.set("cache-control", "no-store");
  headers.set("vary", "accept");
  if (means.status === 503) headers.set("retry-after", "5");
  for (const [name, value] of detail.headers ?? []) headers.append(name, value);
  if (!wantsPage(request)) {
    const body = JSON.stringify({ error: { code, message: `${happened} ${means.next}` } });
    headers.set("content-type", "application/json; charset=utf-8");
    return new Response(`${body}\n`, { status: means.status, headers });
  }
  headers.set("content-type", "text/html; charset=utf-8");
  return new Response(errorPage(code, { ...means, happened }, detail), { status: means.status, headers });
}

function wantsPage(request: Request): boolean {
  if (request.headers.get("hx-request") === "true") return false;
  return (request.headers.get("accept") ?? "").includes("text/html");
}

function errorPage(code: ErrorCode, means: ErrorMeaning, detail: ErrorDetail): string {
  const waits = code === "instance_offline";
  const instance =
    detail.instance === undefined ? "" : `<p class="notice-subject">${escapeHtml(detail.instance)}</p>`;
  const link = detail.link === undefined ? "" : `<p>${linkHtml(detail.link)}</p>`;
  const waiting = waits
    ? `<p class="waiting" id="waiting" data-ready="${instanceRoutes.ready}" role="status">Waiting for it.</p>
<script src="${assetPath("recover.js")}" defer></script>`
    : "";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeHtml(means.title)}</title>
<link rel="icon" href="${assetPath("icon.svg")}" type="image/svg+xml">
<link rel="stylesheet" href="${assetPath("app.css")}">
</head>
<body class="notice-page">
<main class="notice">
${instance}<h1>${escapeHtml(means.title)}</h1>
<p>${escapeHtml(means.happened)}</p>
<p>${escapeHtml(means.next)}</p>
${waiting}${link}
<p class="notice-code">${means.status} ${code}</p>
</main>
</body>
</html>
`;
}

function linkHtml(link: { href: string; text: string }): string {
  return `<a class="button" href="${escapeHtml(link.href)}">${escapeHtml(link.text)}</a>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
