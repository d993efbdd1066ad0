/**
 * How long a request's body is: what arrives in frames decides, never a header (SPEC.md, section 4). A Content-Length that
 * said less than what follows would make the rest a second request at the application; one that said more would take in
 * the next.
 */
import { StreamError } from "@ai-orchestrator/protocol";
import type { HeaderList } from "./adapter.ts";
import { without } from "./upstream-headers.ts";

const MAX_DIGITS = 15;

/** The length that the fields declare, if exactly one well-formed field does. */
export function declaredLength(fields: HeaderList): number | undefined {
  const [value, ...more] = fields.filter(([name]) => name === "content-length").map(([, text]) => text);
  if (value === undefined || more.length > 0) return undefined;
  return /^\d+$/.test(value) && value.length <= MAX_DIGITS ? Number(value) : undefined;
}

/** The fields with exactly one statement of the body's length: the declared one, or chunks, or none where there is no body. */
export function withLength(fields: HeaderList, request: { method: string; hasBody: boolean }): HeaderList {
  const length = declaredLength(fields);
  const others = without(fields, "content-length", "transfer-encoding");
  if (length !== undefined) return [...others, ["content-length", String(length)]];
  if (request.hasBody) return [...others, ["transfer-encoding", "chunked"]];
  const bodiless = ["GET", "HEAD", "OPTIONS", "DELETE"].includes(request.method);
  return bodiless ? others : [...others, ["content-length", "0"]];
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
