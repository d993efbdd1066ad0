/**
 * Errors people and programs see: a stable code each, and one table that says what it means. `docs/errors.md` lists
 * them. Used on the hub's own host and, by ingress, on the instances'.
 */
import { assetPath } from "./assets.ts";
import { instanceRoutes } from "./routes.ts";
import { securityHeaders } from "./security-headers.ts";

export interface ErrorMeaning {
  status: number;
  title: string;
  /** What happened, in a sentence. */
  happened: string;
  /** What to do next, in a sentence. */
  next: string;
}

/** What each code means; the only place that says so. */
const MEANINGS = {
  bad_request: {
    status: 400,
    title: "That request is not valid",
    happened: "The hub could not read it.",
    next: "Go back and try again.",
  },
  code_expired: {
    status: 401,
    title: "This link no longer works",
    happened: "A sign-in link works once and only for a short time; this one was used or is too old.",
    next: "Press Enter in the hub's terminal for a new link, or run npm start again.",
  },
  sign_in_required: {
    status: 401,
    title: "Sign in first",
    happened: "You are not signed in, or your sign-in ended.",
    next: "Sign in and come back.",
  },
  enter_refused: {
    status: 403,
    title: "This way in no longer works",
    happened:
      "The hub's code for this browser was used, is older than a minute, or belongs to another browser.",
    next: "Open the instance again; if that does not help, allow cookies for this site.",
  },
  not_allowed: {
    status: 403,
    title: "Not yours to open",
    happened: "You are signed in, but not as its owner.",
    next: "Ask its owner.",
  },
  origin_refused: {
    status: 403,
    title: "Refused",
    happened: "The request came from another site than this hub.",
    next: "Open the hub's own page and do it there.",
  },
  not_found: {
    status: 404,
    title: "Nothing here",
    happened: "There is no such page.",
    next: "Check the address, or go to the dashboard.",
  },
  too_many_tokens: {
    status: 409,
    title: "Too many tokens",
    happened: "You have as many tokens as the hub keeps.",
    next: "Revoke one you do not use.",
  },
  too_large: {
    status: 413,
    title: "Too large",
    happened: "The request is larger than what is taken here.",
    next: "Send less at once.",
  },
  internal_error: {
    status: 500,
    title: "Something broke in the hub",
    happened: "It was logged.",
    next: "Try again.",
  },
  connection_lost: {
    status: 502,
    title: "The connection was lost",
    happened: "The instance's connection to the hub broke before it answered.",
    next: "Try again; it usually comes back by itself.",
  },
  instance_unreachable: {
    status: 502,
    title: "The web app refuses connections",
    happened: "The connector is here, but the web app beside it does not answer.",
    next: "Start it on its machine, then try again.",
  },
  upstream_failed: {
    status: 502,
    title: "The web app's answer broke off",
    happened: "The web app closed the connection, or sent an answer that is not valid HTTP.",
    next: "Try again; its own log says more.",
  },
  instance_offline: {
    status: 503,
    title: "This instance is unreachable",
    happened: "It is not connected to the hub now.",
    next: "This page opens it by itself when it is back. On its machine, check that the connector runs.",
  },
  too_many_streams: {
    status: 503,
    title: "Too much at once",
    happened: "This instance handles as many requests as it can.",
    next: "Try again soon.",
  },
  upstream_timeout: {
    status: 504,
    title: "The web app did not answer",
    happened: "It took too long.",
    next: "Try again; its own log says more.",
  },
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof MEANINGS;

/** Every code, for the list in docs/errors.md. */
export const ERROR_CODES = Object.keys(MEANINGS) as ErrorCode[];

export function errorMeaning(code: ErrorCode): ErrorMeaning {
  return MEANINGS[code];
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

/** The answer for an error: a page for someone who navigates, else `{"error":{"code","message"}}`. Never stored. */
export function errorResponse(code: ErrorCode, request: Request, detail: ErrorDetail = {}): Response {
  const means = errorMeaning(code);
  const happened = detail.message ?? means.happened;
  const headers = new Headers(securityHeaders(new URL(request.url).origin));
  headers.set("cache-control", "no-store");
  // Caches of service workers mind no Cache-Control: claudecodeui's would give a page this answer for ever. None takes this.
  headers.set("vary", "*");
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
<p class="notice-brand">Orchestrator</p>
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
