/**
 * How long a request's body is: what arrives in frames decides, never a header (SPEC.md, section 4). A Content-Length that
 * said less than what follows would make the rest a second request at the application; one that said more would take in
 * the next.
 */
import { StreamError } from "@ai-orchestrator/protocol";
import type { HeaderList } from "./adapter.ts";

const MAX_DIGITS = 15;
/** A request of these methods that has no body does not say so. */
const BODILESS: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS", "DELETE"]);

/** The length that the fields declare, if exactly one well-formed field does. */
export function declaredLength(fields: HeaderList): number | undefined {
  let declared: string | undefined;
  for (const field of fields) {
    if (field[0] !== "content-length") continue;
    if (declared !== undefined) return undefined;
    declared = field[1];
  }
  if (declared === undefined || declared.length > MAX_DIGITS || !/^\d+$/.test(declared)) return undefined;
  return Number(declared);
}

/**
 * The fields with exactly one statement of the body's length: the declared one, or chunks, or none where there is no body. Names and values
 * by turns, as `http.request` takes them.
 */
export function withLength(fields: HeaderList, request: { method: string; hasBody: boolean }): string[] {
  const list: string[] = [];
  for (const field of fields)
    if (field[0] !== "content-length" && field[0] !== "transfer-encoding") list.push(field[0], field[1]);
  const length = declaredLength(fields);
  if (length !== undefined) list.push("content-length", String(length));
  else if (request.hasBody) list.push("transfer-encoding", "chunked");
  else if (!BODILESS.has(request.method)) list.push("content-length", "0");
  return list;
}

/** Counts a body against what was declared. Both throw `StreamError` `protocol_error` where they differ. */
export class LengthCheck {
  readonly #declared: number | undefined;
  #bytes = 0;

  constructor(declared: number | undefined) {
    this.#declared = declared;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#declared !== undefined && this.#bytes > this.#declared) throw differs();
  }

  end(): void {
    if (this.#declared !== undefined && this.#bytes < this.#declared) throw differs();
  }
}

function differs(): StreamError {
  return new StreamError("protocol_error", "the body is not as long as its Content-Length says");
}
