/**
 * The mark in an instance's pages: a script tag that the documents people open get on their way. Nothing else of an instance
 * is touched, and a document only where its own policy lets the script run.
 */
import { assetPath, assetsVersion } from "../assets.ts";
import { isInstanceNavigation } from "../auth/request-source.ts";
import type { Env } from "../env.ts";
import { errorResponse, isErrorResponse } from "../errors.ts";
import { instanceRoutes } from "../routes.ts";
import { findHead } from "./html-start.ts";
import { READABLE_ENCODING, readableEncodings } from "./path-mode/instance-request.ts";

/** A document that does not begin within as many bytes has no mark. */
const MAX_SEARCHED_BYTES = 16 * 1024;
const NO_DOCUMENT = new Set([101, 204, 205, 206, 304]);
/** They speak of bytes that are not the same any more. */
const ABOUT_BYTES = ["accept-ranges", "content-encoding", "content-length", "etag", "last-modified"];
/** A browser's copy may be from before the mark was shown. */
const ABOUT_A_COPY = ["if-modified-since", "if-none-match"];

interface Visit {
  request: Request;
  env: Env;
  label: string;
}

/** Asks for what the visit is for, and puts the mark into the answer where that is a document for a person. */
export async function askWithMark(
  { request, env, label }: Visit,
  isWanted: boolean,
  ask: (request: Request) => Promise<Response>,
): Promise<Response> {
  // Who does not say that a page is opened is a program.
  const isOpened = request.headers.has("sec-fetch-mode") && isInstanceNavigation(request);
  if (!isWanted || !isOpened) return ask(request);
  const response = await ask(asReadable(request));
  return isMarkable(response)
    ? withScript(response, new TextEncoder().encode(markTag(env, label)))
    : response;
}

/** The mark's script: the same for everybody, a new address with each version of the hub. */
export async function markScript({ request, env }: Visit): Promise<Response> {
  if (request.method !== "GET" && request.method !== "HEAD") return errorResponse("not_found", request);
  const headers = new Headers();
  const known = request.headers.get("if-none-match");
  if (known !== null) headers.set("if-none-match", known);
  const address = new URL(assetPath("mark.js"), request.url);
  const file = await env.ASSETS.fetch(new Request(address, { method: request.method, headers }));
  const copy = new Response(file.body, file);
  const isThere = file.ok || file.status === 304;
  copy.headers.set("cache-control", isThere ? "private, max-age=86400" : "no-store");
  copy.headers.set("cross-origin-resource-policy", "same-origin");
  copy.headers.set("x-content-type-options", "nosniff");
  return copy;
}

/** The same request for an answer whose bytes can be read, whole. */
function asReadable(request: Request): Request {
  const headers = new Headers(request.headers);
  headers.set("accept-encoding", readableEncodings(headers.get("accept-encoding") ?? ""));
  for (const name of ABOUT_A_COPY) headers.delete(name);
  return new Request(request, { headers, redirect: "manual" });
}

function isMarkable(response: Response): boolean {
  const { status, headers } = response;
  if (response.body === null || NO_DOCUMENT.has(status) || isErrorResponse(response)) return false;
  if (!isHtml(headers)) return false;
  if (!READABLE_ENCODING.test((headers.get("content-encoding") ?? "identity").toLowerCase())) return false;
  return allowsOwnScripts(headers.get("content-security-policy"));
}

/** True of HTML that is shown, and written with one byte for each character that matters. */
export function isHtml(headers: Headers): boolean {
  const [type = "", ...parameters] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  if (type.trim() !== "text/html" || parameters.some((text) => text.includes("utf-16"))) return false;
  return !/^\s*attachment\b/i.test(headers.get("content-disposition") ?? "");
}

/** Whether every policy surely lets a script of the document's own origin run: where one may not, browsers would complain. */
export function allowsOwnScripts(policies: string | null): boolean {
  return (policies ?? "").split(",").every((policy) => {
    const directives = new Map<string, string[]>();
    for (const directive of policy.split(";")) {
      const [name = "", ...sources] = directive.trim().toLowerCase().split(/\s+/);
      // Of two with one name only the first counts.
      if (!directives.has(name)) directives.set(name, sources);
    }
    if (directives.has("sandbox")) return false;
    const sources =
      directives.get("script-src-elem") ?? directives.get("script-src") ?? directives.get("default-src");
    if (sources === undefined) return true;
    return !sources.includes("'strict-dynamic'") && sources.some((one) => one === "'self'" || one === "*");
  });
}

/** The element that brings the mark; in path mode below a prefix. */
export function markTag(env: Env, label: string, prefix = ""): string {
  const source = `${prefix}${instanceRoutes.mark}?v=${assetsVersion}`;
  const hub = new URL(env.HUB_ORIGIN).origin;
  return `<script src="${source}" data-hub="${hub}" data-label="${label}" defer></script>`;
}

type Reader = ReadableStreamDefaultReader<Uint8Array>;
type Writer = WritableStreamDefaultWriter<Uint8Array>;

function withScript(response: Response, tag: Uint8Array): Response {
  if (response.body === null) return response;
  const { readable, writable } = new IdentityTransformStream();
  // An answer that breaks off breaks off in the browser too: nobody else is to be told.
  insert(response.body, writable, tag).catch(() => undefined);
  const marked = new Response(readable, response);
  for (const name of ABOUT_BYTES) marked.headers.delete(name);
  return marked;
}

/** Passes every byte on as it comes, the tag among them. Once it is in, nothing is read here any more. */
async function insert(body: ReadableStream, writable: WritableStream, tag: Uint8Array): Promise<void> {
  const [reader, writer] = [
    body.getReader() as ReadableStreamDefaultReader<Uint8Array>,
    writable.getWriter(),
  ];
  try {
    await insertIntoStart(reader, writer, tag);
  } catch (error) {
    await Promise.allSettled([reader.cancel(error), writer.abort(error)]);
    return;
  }
  reader.releaseLock();
  writer.releaseLock();
  await body.pipeTo(writable);
}

async function insertIntoStart(reader: Reader, writer: Writer, tag: Uint8Array): Promise<void> {
  let held = new Uint8Array();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return writer.write(held);
    const bytes = joined(held, value);
    const search = findHead(new TextDecoder("latin1").decode(bytes.subarray(0, MAX_SEARCHED_BYTES)));
    if (search.found === "here") {
      await writer.write(joined(bytes.subarray(0, search.at), tag));
      return writer.write(bytes.subarray(search.at));
    }
    if (search.found === "never" || bytes.byteLength > MAX_SEARCHED_BYTES) return writer.write(bytes);
    if (search.before > 0) await writer.write(bytes.subarray(0, search.before));
    held = bytes.slice(search.before);
  }
}

function joined(first: Uint8Array, second: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(first.byteLength + second.byteLength);
  bytes.set(first);
  bytes.set(second, first.byteLength);
  return bytes;
}
