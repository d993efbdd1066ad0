/**
 * Of which answers the hub keeps copies at its edge, and for whom. A copy is served only where the Tunnel would have asked the instance:
 * the request goes to it all the same, with word of the copy, and passes the same checks as any other.
 */
import type { HeaderFields, Register, ResponseHead } from "@ai-orchestrator/protocol";
import type { ConnectorAttachment } from "./attachments.ts";
import type { VerifiedViewer } from "./headers.ts";

/** As it is sent, compressed. */
export const MAX_COPY_BYTES = 4 * 1024 * 1024;
/** What is to be kept for less is hardly kept at all. */
const MIN_SECONDS = 24 * 3600;

/** Nothing else is worth a look for a copy: so data, pages and streams pay nothing for there being some. */
const FILE = /\.(?:avif|css|gif|ico|jpe?g|m?js|otf|png|svg|ttf|wasm|webp|woff2?)$/i;
const NEVER_ASKED_WITH = ["authorization", "range", "service-worker", "upgrade"];

/** In a Tunnel's answer that may be kept; an instance's answer cannot have them. */
const KEEP_AS = "x-orchestrator-keep-as";
const ENCODED_AS = "x-orchestrator-encoded-as";
/** In a Tunnel's answer in place of the instance's, where the copy that the Worker has is as good. */
const USE_COPY = "x-orchestrator-use-copy";

/** True of a request that a copy might answer; `path` is what it asks the instance for. */
export function isForFile({ method, headers }: Request, path: string): boolean {
  if (method !== "GET" || !FILE.test(path) || NEVER_ASKED_WITH.some((name) => headers.has(name)))
    return false;
  return headers.get("sec-fetch-dest") !== "manifest";
}

/** A file that path mode changes on its way: known before it is there, because it must come in an encoding that can be read. */
export function isSheet(path: string): boolean {
  return /\.css$/i.test(path);
}

/** Copies of one application do for its next connection, as long as it comes with the same token, in the same version. */
export function copyGeneration(tokenId: string, { software, metadata }: Register): string {
  const { name, version } = metadata.upstream ?? {};
  return encodeURIComponent(JSON.stringify([tokenId, software.name, software.version, name, version]));
}

/** The Tunnel's answer to who may look, where their Worker has a copy that this connection's application would give again. */
export function copyAnswer(
  { generation }: ConnectorAttachment,
  copy: string | undefined,
): Response | undefined {
  if (generation === undefined || copy !== generation) return undefined;
  return new Response(null, { status: 204, headers: { [USE_COPY]: "1" } });
}

export function isCopyAnswer(response: Response): boolean {
  return response.headers.has(USE_COPY);
}

/** Says in the fields of an answer that the Worker may keep it, where that is so by its head. */
export type Keep = (headers: Headers, head: ResponseHead) => void;

/**
 * For a request that a copy might answer. How the body is encoded is said under another name, or the platform would undo it where the
 * bytes are read.
 */
export function keepOf(
  { generation }: ConnectorAttachment,
  request: Request,
  { copy }: Pick<VerifiedViewer, "copy">,
): Keep | undefined {
  if (copy === undefined || generation === undefined) return undefined;
  const accepted = request.headers.get("accept-encoding") ?? "";
  const { pathname } = new URL(request.url);
  return (headers, head) => {
    const encoding = headers.get("content-encoding");
    if (!mayBeKept(head) || !isWhatItIsCalled(headers, pathname)) return;
    if (encoding !== null && !accepts(accepted, encoding)) return;
    headers.set(KEEP_AS, generation);
    if (encoding === null) return;
    headers.set(ENCODED_AS, encoding);
    headers.delete("content-encoding");
  };
}

/** Whether an `Accept-Encoding` names an encoding and does not refuse it. */
export function accepts(accepted: string, encoding: string): boolean {
  return accepted.split(",").some((part) => {
    const [name = "", ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    return name === encoding.toLowerCase() && !parameters.some((one) => /^q=0(?:\.0*)?$/.test(one));
  });
}

/** What `Keep` has said, taken out of the fields again; undefined where it has not. */
export function takeNote(headers: Headers): { generation: string } | undefined {
  const generation = headers.get(KEEP_AS);
  const encoding = headers.get(ENCODED_AS);
  headers.delete(KEEP_AS);
  headers.delete(ENCODED_AS);
  if (encoding !== null) headers.set("content-encoding", encoding);
  return generation === null ? undefined : { generation };
}

/** Only what the application itself calls public and unchanging, by the fields as it sent them. */
function mayBeKept({ status, headers }: ResponseHead): boolean {
  if (status !== 200) return false;
  const refused = ["set-cookie", "content-range", "cdn-cache-control", "surrogate-control"];
  if (headers.some(([name]) => refused.includes(name))) return false;
  const length = Number(listOf(headers, "content-length")[0] ?? 0);
  return (
    length <= MAX_COPY_BYTES &&
    listOf(headers, "vary").every((name) => name === "accept-encoding" || name === "origin") &&
    isForEver(listOf(headers, "cache-control"))
  );
}

/** What is changed on its way to a browser is known by its type; of files, by their names, only sheets are. */
function isWhatItIsCalled(headers: Headers, path: string): boolean {
  const [type = ""] = (headers.get("content-type") ?? "").toLowerCase().split(";");
  if (/^\s*(?:text\/html|application\/manifest\+json)\s*$/.test(type)) return false;
  return isSheet(path) === (type.trim() === "text/css");
}

function isForEver(directives: readonly string[]): boolean {
  const named = (name: string) => directives.some((one) => one.split("=", 1)[0]?.trim() === name);
  if (["private", "no-store", "no-cache", "must-revalidate", "proxy-revalidate", "s-maxage"].some(named))
    return false;
  return named("public") && named("immutable") && maxAge(directives) >= MIN_SECONDS;
}

/** Seconds; 0 where they are not said, or not the same twice. */
export function maxAge(directives: readonly string[]): number {
  const said = new Set(directives.flatMap((one) => /^max-age\s*=\s*"?(\d{1,10})"?$/.exec(one)?.[1] ?? []));
  return said.size === 1 ? Number([...said][0]) : 0;
}

/** The members of a field that is a list, in lower case. */
function listOf(headers: HeaderFields, name: string): string[] {
  return headers
    .filter(([field]) => field === name)
    .flatMap(([, value]) => value.toLowerCase().split(","))
    .map((one) => one.trim())
    .filter((one) => one !== "");
}
