/**
 * Errors people and programs see: a page or JSON for each code of error-codes.ts. Used on the hub's own host and, by
 * ingress, on the instances'.
 */
import { assetPath } from "./assets.ts";
import { errorMeaning, type ErrorCode, type ErrorMeaning } from "./error-codes.ts";
import { instanceRoutes } from "./routes.ts";
import { securityHeaders } from "./security-headers.ts";

/** On every error of the hub's own; no answer of an instance can have it, so it tells the two apart. */
const ERROR_HEADER = "x-orchestrator-error";

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
  /** Beside it, where there is a second way on. */
  otherLink?: { href: string; text: string };
  /** Where a page that waits for the instance asks whether it is back; default: at the root of this host. */
  ready?: string;
  /** When to try again, where the code's own answer is not it. */
  retryAfterSeconds?: number;
  headers?: [name: string, value: string][];
}

/** The answer for an error: a page for someone who navigates, else `{"error":{"code","message"}}`. Never stored. */
export function errorResponse(code: ErrorCode, request: Request, detail: ErrorDetail = {}): Response {
  const means = errorMeaning(code);
  const happened = detail.message ?? means.happened;
  const headers = new Headers(securityHeaders(new URL(request.url).origin));
  headers.set(ERROR_HEADER, code);
  headers.set("cache-control", "no-store");
  // Caches of service workers mind no Cache-Control: claudecodeui's would give a page this answer for ever. None takes this.
  headers.set("vary", "*");
  if (means.status === 503) headers.set("retry-after", "5");
  if (detail.retryAfterSeconds !== undefined) headers.set("retry-after", String(detail.retryAfterSeconds));
  for (const [name, value] of detail.headers ?? []) headers.append(name, value);
  if (!wantsPage(request)) {
    const body = JSON.stringify({ error: { code, message: `${happened} ${means.next}` } });
    headers.set("content-type", "application/json; charset=utf-8");
    return new Response(`${body}\n`, { status: means.status, headers });
  }
  headers.set("content-type", "text/html; charset=utf-8");
  return new Response(errorPage(code, { ...means, happened }, detail), { status: means.status, headers });
}

/** True of what `errorResponse` made, here or in another object. */
export function isErrorResponse(response: Response): boolean {
  return response.headers.has(ERROR_HEADER);
}

/** The code of what `errorResponse` made; null for anything else. */
export function errorCodeOf(response: Response): string | null {
  return response.headers.get(ERROR_HEADER);
}

function wantsPage(request: Request): boolean {
  if (request.headers.get("hx-request") === "true") return false;
  return (request.headers.get("accept") ?? "").includes("text/html");
}

function errorPage(code: ErrorCode, means: ErrorMeaning, detail: ErrorDetail): string {
  const waits = code === "instance_offline";
  const instance =
    detail.instance === undefined ? "" : `<p class="notice-subject">${escapeHtml(detail.instance)}</p>`;
  const links = linksHtml(detail);
  const waiting = waits
    ? `<p class="waiting" id="waiting" data-ready="${escapeHtml(detail.ready ?? instanceRoutes.ready)}" role="status">Waiting for it.</p>
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
<script src="${assetPath("theme.js")}"></script>
<link rel="stylesheet" href="${assetPath("app.css")}">
</head>
<body class="notice-page">
<main class="notice">
<p class="notice-brand">Orchestrator</p>
${instance}<h1>${escapeHtml(means.title)}</h1>
<p>${escapeHtml(means.happened)}</p>
<p>${escapeHtml(means.next)}</p>
${waiting}${links}
<p class="notice-code">${means.status} ${code}</p>
</main>
</body>
</html>
`;
}

/** Of two ways on, the first is what the page is about. */
function linksHtml({ link, otherLink }: ErrorDetail): string {
  if (link === undefined) return "";
  if (otherLink === undefined) return `<p>${linkHtml(link, "button")}</p>`;
  return `<p>${linkHtml(link, "button primary")} ${linkHtml(otherLink, "button")}</p>`;
}

function linkHtml(link: { href: string; text: string }, className: string): string {
  return `<a class="${className}" href="${escapeHtml(link.href)}">${escapeHtml(link.text)}</a>`;
}

function escapeHtml(text: string): string {
  return text
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}
