/**
 * An instance's answer in path mode. What leads a browser somewhere gets the prefix: header fields, HTML, style sheets, manifests and
 * the script of a service worker. Everything else passes as it came: other scripts, JSON, event streams, downloads.
 */
import { assetsVersion } from "../../assets.ts";
import type { Env } from "../../env.ts";
import { isErrorResponse } from "../../errors.ts";
import { instanceRoutes } from "../../routes.ts";
import { CLIENT_VERSION } from "../internal-headers.ts";
import { allowsOwnScripts, isHtml, markTag } from "../mark.ts";
import { placeHeaders } from "./answer-headers.ts";
import { createCssScanner } from "./css.ts";
import { HeadScanner } from "./head.ts";
import { HtmlScanner } from "./html.ts";
import { withInsertions } from "./insertions.ts";
import { READABLE_ENCODING } from "./instance-request.ts";
import { isWorkerScript } from "./leaving-worker.ts";
import { placedManifest } from "./manifest.ts";
import type { PathPlace } from "./place.ts";
import { allowScript } from "./script-policy.ts";
import { asksAfterRewritten, rewrittenTag } from "./validators.ts";
import { placedWorkerScript } from "./worker-script.ts";

export interface PathVisit {
  /** As the browser sent it. */
  request: Request;
  env: Env;
  label: string;
  place: PathPlace;
  /** What it asks the instance for. */
  path: string;
}

type Rewritten = "html" | "css" | "manifest" | "worker";

const DOCUMENTS = new Set(["document", "embed", "fencedframe", "frame", "iframe", "object"]);
/** They speak of bytes that are not the same any more. */
const ABOUT_BYTES = [
  "accept-ranges",
  "content-digest",
  "content-encoding",
  "content-length",
  "content-md5",
  "digest",
  "last-modified",
  "repr-digest",
];
/** A manifest or a worker's script that is larger is nobody's, and passes as it came. */
const MAX_WHOLE_BYTES = 2 * 1024 * 1024;

/** True where a part of a body was asked for that is only right as a whole. */
export function isPartOfRewritten(visit: PathVisit, response: Response): boolean {
  return response.status === 206 && rewrittenAs(visit, response) !== undefined;
}

/** The answer for the browser. */
export async function placedAnswer(visit: PathVisit, response: Response): Promise<Response> {
  const { request, place, path } = visit;
  if (isErrorResponse(response)) return response;
  const kind = rewrittenAs(visit, response);
  // How its body is encoded goes with it, as no field tells: whether the platform is to hand on its bytes as they are.
  const placed = new Response(kind === undefined ? response.body : null, response);
  const { headers } = placed;
  headers.delete(CLIENT_VERSION);
  placeHeaders(headers, place, path);
  if (kind !== undefined) return rewritten(visit, { kind, headers, response });
  if (response.status === 304 && asksAfterRewritten(request.headers.get("if-none-match"))) newTag(headers);
  return placed;
}

function rewrittenAs({ request, path }: PathVisit, { headers }: Response): Rewritten | undefined {
  const encoding = headers.get("content-encoding") ?? "identity";
  if (headers.get(CLIENT_VERSION) === "1" || !READABLE_ENCODING.test(encoding.toLowerCase()))
    return undefined;
  const type = contentType(headers);
  if (isWorkerScript(request)) return /(?:java|ecma)script$/.test(type) ? "worker" : undefined;
  if (isHtml(headers)) return "html";
  if (/^\s*attachment\b/i.test(headers.get("content-disposition") ?? "")) return undefined;
  if (type === "text/css") return "css";
  return isManifest({ request, path }, type) ? "manifest" : undefined;
}

/** A service worker that asks for it in a page's place no longer says what for, and many servers call it plain JSON. */
function isManifest({ request, path }: Pick<PathVisit, "request" | "path">, type: string): boolean {
  if (type === "application/manifest+json" || request.headers.get("sec-fetch-dest") === "manifest")
    return true;
  return type === "application/json" && /(?:^|[/._-])manifest\.json$/i.test(path);
}

function contentType(headers: Headers): string {
  const [type = ""] = (headers.get("content-type") ?? "").split(";");
  return type.trim().toLowerCase();
}

interface Rewriting {
  kind: Rewritten;
  headers: Headers;
  response: Response;
}

async function rewritten(visit: PathVisit, { kind, headers, response }: Rewriting): Promise<Response> {
  const { place, path } = visit;
  for (const name of ABOUT_BYTES) headers.delete(name);
  newTag(headers);
  if (kind === "worker") {
    headers.set("cache-control", "private, no-cache");
    if (!headers.has("service-worker-allowed"))
      headers.set("service-worker-allowed", place.prefix + folderOf(path));
  }
  const body =
    response.body === null ? null : await rewrittenBody(visit, { kind, headers, response }, response.body);
  return new Response(body, { status: response.status, headers });
}

async function rewrittenBody(
  visit: PathVisit,
  { kind, headers }: Rewriting,
  body: ReadableStream,
): Promise<ReadableStream | Uint8Array> {
  const { place } = visit;
  switch (kind) {
    case "css":
      return withInsertions(body, createCssScanner(place));
    case "manifest":
      return whole(body, (text) => placedManifest(text, place));
    case "worker":
      return whole(body, (text) => placedWorkerScript(text, place));
    case "html":
      return withInsertions(
        body,
        new HeadScanner(elements(visit, headers), isDocument(visit)),
        new HtmlScanner(place),
      );
  }
}

/** The shim, and after it the mark where the instance's own policy allows it. Widens the policy for the first. */
function elements({ env, label, place }: PathVisit, headers: Headers): string {
  const folder = `${place.prefix}${instanceRoutes.prefix}`;
  const own = headers.get("content-security-policy");
  const { policies, nonce } = allowScript(own, place.origin + folder);
  if (policies !== undefined) headers.set("content-security-policy", policies);
  const nonced = nonce === undefined ? "" : ` nonce="${nonce}"`;
  const shim = `<script src="${place.prefix}${instanceRoutes.shim}?v=${assetsVersion}"${nonced}></script>`;
  return allowsOwnScripts(own) ? shim + markTag(env, label, place.prefix) : shim;
}

/** Opened by a person or shown in a frame, as opposed to fetched by a script. */
function isDocument({ request: { headers } }: PathVisit): boolean {
  const mode = headers.get("sec-fetch-mode");
  if (mode === null) return headers.get("accept")?.includes("text/html") ?? false;
  return mode === "navigate" || DOCUMENTS.has(headers.get("sec-fetch-dest") ?? "");
}

function newTag(headers: Headers): void {
  const tag = rewrittenTag(headers.get("etag") ?? "");
  if (tag === undefined) headers.delete("etag");
  else headers.set("etag", tag);
}

/** Of a script at the root it is nothing: the prefix without a slash, too, is the instance's. */
function folderOf(path: string): string {
  const end = path.lastIndexOf("/");
  return end <= 0 ? "" : path.slice(0, end + 1);
}

/** A body that is changed as a whole. */
async function whole(
  body: ReadableStream,
  change: (text: string) => string,
): Promise<ReadableStream | Uint8Array> {
  const [first, second] = body.tee();
  const bytes = await allOf(first);
  if (bytes === undefined) return second;
  await second.cancel();
  return new TextEncoder().encode(change(new TextDecoder().decode(bytes)));
}

/** The bytes of a body, or undefined where there are too many. */
async function allOf(body: ReadableStream): Promise<Uint8Array | undefined> {
  const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const parts: Uint8Array[] = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return new Uint8Array(await new Blob(parts).arrayBuffer());
    parts.push(value);
    length += value.byteLength;
    if (length > MAX_WHOLE_BYTES) {
      await reader.cancel();
      return undefined;
    }
  }
}
