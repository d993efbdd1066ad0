/**
 * Copies of instances' unchanging public files (`copy-rules.ts`) in the edge's cache, so that a file crosses the tunnel once and not for
 * each browser. They are stored as bytes that say nothing of themselves: the fields of the answer stand in one of ours, so that
 * nothing on the way recodes a body or answers a condition. Where the platform has no such cache, nothing is ever found.
 */
import { waitUntil } from "cloudflare:workers";
import * as v from "valibot";
import { instanceRoutes } from "../routes.ts";
import { sha256 } from "../secrets.ts";
import { HUB_SOFTWARE } from "../version.ts";
import { accepts, isCopyAnswer, MAX_COPY_BYTES, maxAge, takeNote } from "./copy-rules.ts";
import type { VerifiedViewer } from "./headers.ts";

/** Another with each version of the hub: what it lets through of an answer's fields may be different then. */
const CACHE = `instances-${HUB_SOFTWARE.version}`;
const MAX_SECONDS = 30 * 24 * 3600;
const HEAD = "x-orchestrator-copy-head";
const MAX_HEAD_LENGTH = 8 * 1024;
/** What all answers on their way through this isolate may collect for copies. */
const MAX_COLLECTED_BYTES = 16 * 1024 * 1024;
let collectedBytes = 0;
/** Those that have collected something and are not done, oldest first. */
const collecting = new Set<Collector>();

const HeadSchema = v.object({
  generation: v.string(),
  /** When the answer came, milliseconds since the epoch. */
  at: v.number(),
  headers: v.array(v.tuple([v.string(), v.string()])),
});

interface Copy extends v.InferOutput<typeof HeadSchema> {
  body: ReadableStream | null;
}

export interface FileVisit {
  request: Request;
  label: string;
  viewer: VerifiedViewer;
  /** The body is changed on its way to the browser: it is given decoded. It must be asked for in gzip or plain. */
  isRead: boolean;
}

/** Asks the Tunnel for a file: with a copy of it in hand, where there is one, which the Tunnel may allow to be used. */
export async function askForFile(
  visit: FileVisit,
  ask: (viewer: VerifiedViewer) => Promise<Response>,
): Promise<Response> {
  const key = await keyOf(visit);
  const copy = await findCopy(key, visit.request);
  const response = await ask({ ...visit.viewer, copy: copy?.generation ?? "" });
  if (copy && isCopyAnswer(response)) return fromCopy(copy, visit);
  await copy?.body?.cancel();
  return keeping(response, key, visit);
}

/** Holds whatever answers may differ by: whose instance, seen from where, and how the bytes are encoded. */
async function keyOf({ request, label, viewer }: FileVisit): Promise<string> {
  const { pathname, search } = new URL(request.url);
  const { origin, prefix } = viewer;
  const encoding = encodingFor(request);
  const name = await sha256(
    JSON.stringify([label, origin, prefix, pathname + search, encoding, request.headers.has("origin")]),
  );
  return `${origin}${instanceRoutes.prefix}copy/${label}/${name}`;
}

/** What an instance would choose, of the encodings that the browser takes. */
function encodingFor({ headers }: Request): string {
  const accepted = headers.get("accept-encoding") ?? "";
  return ["br", "gzip"].find((one) => accepts(accepted, one)) ?? "identity";
}

/** Somebody who reloads without what their browser has kept wants nothing that anybody has kept. */
async function findCopy(key: string, { headers }: Request): Promise<Copy | undefined> {
  if (/no-cache/i.test(`${headers.get("cache-control")} ${headers.get("pragma")}`)) return undefined;
  // A cache that fails is one that has nothing.
  const copy = await readCopy(key).catch(() => undefined);
  const encoding = new Headers(copy?.headers).get("content-encoding");
  if (encoding === null || accepts(headers.get("accept-encoding") ?? "", encoding)) return copy;
  await copy?.body?.cancel();
  return undefined;
}

async function readCopy(key: string): Promise<Copy | undefined> {
  const cache = await caches.open(CACHE);
  const found = await cache.match(key);
  if (found === undefined) return undefined;
  const head: unknown = JSON.parse(decodeURIComponent(found.headers.get(HEAD) ?? ""));
  return { ...v.parse(HeadSchema, head), body: found.body };
}

async function fromCopy(copy: Copy, { request, isRead }: FileVisit): Promise<Response> {
  const headers = new Headers(copy.headers);
  const seconds = Math.max(0, Math.floor((Date.now() - copy.at) / 1000));
  const before = Number(headers.get("age") ?? 0);
  headers.set("age", String(seconds + (before > 0 ? before : 0)));
  if (!isKnown(request.headers.get("if-none-match"), headers.get("etag")))
    return answerOf(copy.body, headers, isRead);
  await copy.body?.cancel();
  for (const name of ["content-encoding", "content-length", "content-type"]) headers.delete(name);
  return new Response(null, { status: 304, headers });
}

/** Whether the browser has this version, by weak comparison. */
function isKnown(asked: string | null, etag: string | null): boolean {
  if (asked === null || etag === null) return false;
  const opaque = (tag: string) => tag.replace(/^W\//, "");
  return (asked.match(/(?:W\/)?"[^"]*"/g) ?? []).some((tag) => opaque(tag) === opaque(etag));
}

/** `body` is as `headers` say; what was asked for to be read comes without its encoding. */
function answerOf(body: ReadableStream | null, headers: Headers, isRead: boolean): Response {
  if (!headers.has("content-encoding")) return new Response(body, { headers });
  if (!isRead) return new Response(body, { headers, encodeBody: "manual" });
  headers.delete("content-encoding");
  headers.delete("content-length");
  return new Response(body?.pipeThrough(new DecompressionStream("gzip")) ?? null, { headers });
}

/** The answer for the browser; where it may be kept, its bytes are collected as they pass and stored once all have. */
function keeping(response: Response, key: string, { isRead }: FileVisit): Response {
  const headers = new Headers(response.headers);
  const note = takeNote(headers);
  if (note === undefined || response.body === null) return response;
  const head = { ...note, at: Date.now(), headers: [...headers] };
  const length = Number(headers.get("content-length") ?? Number.NaN);
  const pipe = Number.isSafeInteger(length) ? new FixedLengthStream(length) : new IdentityTransformStream();
  const keep = (bytes: Blob) => waitUntil(Promise.allSettled([store(key, head, bytes)]));
  // An answer that breaks off breaks off in the browser too: nobody else is to be told.
  passOn(response.body, pipe.writable, new Collector(keep)).catch(() => undefined);
  return answerOf(pipe.readable, headers, isRead);
}

/** Passes every chunk on as it comes. */
async function passOn(body: ReadableStream, writable: WritableStream, collector: Collector): Promise<void> {
  const reader = body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
  const writer = writable.getWriter() as WritableStreamDefaultWriter<Uint8Array>;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      collector.add(value);
      await writer.write(value);
    }
    // Before the answer is over: with it ends what may be begun for it.
    collector.end();
    await writer.close();
  } catch (error) {
    collector.giveUp();
    await Promise.allSettled([reader.cancel(error), writer.abort(error)]);
  }
}

/**
 * The bytes of one body; hands them on as a whole, and never those of one that breaks off or is too large. Where all have collected too
 * much, the oldest makes room: it may stand still for as long as its application likes.
 */
class Collector {
  readonly #whole: (bytes: Blob) => void;
  readonly #chunks: Uint8Array[] = [];
  #bytes = 0;
  #isOver = false;

  constructor(whole: (bytes: Blob) => void) {
    this.#whole = whole;
  }

  add(chunk: Uint8Array): void {
    if (this.#isOver) return;
    this.#bytes += chunk.byteLength;
    collectedBytes += chunk.byteLength;
    if (this.#bytes > MAX_COPY_BYTES) return this.giveUp();
    this.#chunks.push(chunk);
    collecting.add(this);
    for (const oldest of collecting) {
      if (collectedBytes <= MAX_COLLECTED_BYTES) return;
      oldest.giveUp();
    }
  }

  end(): void {
    if (this.#isOver) return;
    this.#whole(new Blob(this.#chunks));
    this.giveUp();
  }

  giveUp(): void {
    if (!this.#isOver) collectedBytes -= this.#bytes;
    this.#isOver = true;
    this.#chunks.length = 0;
    collecting.delete(this);
  }
}

async function store(key: string, head: v.InferOutput<typeof HeadSchema>, bytes: Blob): Promise<void> {
  const text = encodeURIComponent(JSON.stringify(head));
  const fields = new Headers(head.headers);
  const length = fields.get("content-length");
  if (text.length > MAX_HEAD_LENGTH || (length !== null && Number(length) !== bytes.size)) return;
  const caching = (fields.get("cache-control") ?? "").toLowerCase().split(",");
  const seconds = Math.min(MAX_SECONDS, maxAge(caching.map((one) => one.trim())));
  const headers = {
    "cache-control": `public, max-age=${seconds}`,
    "content-type": "application/octet-stream",
    [HEAD]: text,
  };
  const cache = await caches.open(CACHE);
  // Whole, with a length: of a stream that breaks off, a cache may keep the beginning.
  await cache.put(key, new Response(await bytes.arrayBuffer(), { headers }));
}
