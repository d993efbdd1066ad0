/** One HTTP exchange through the tunnel, on the hub's side: a request's body goes out as credit allows, the answer streams back. */
import {
  asStreamError,
  LIMITS,
  StreamError,
  type ResponseHead,
  type StreamHandler,
} from "@ai-orchestrator/protocol";
import type { Keep } from "./copy-rules.ts";
import { responseHeaders } from "./headers.ts";
import type { ExchangeStream } from "./instance-connection.ts";
import { ResponseWriter } from "./response-writer.ts";

/** A connector answers for its upstream well before this; it is for a connector that hangs. */
const RESPONSE_TIMEOUT_MS = 180_000;

const NULL_BODY = new Set([101, 204, 205, 304]);

/** An answer up to this long that is here as a whole needs no stream; nobody counts its bytes any more, as nobody counts those of a head. */
const WHOLE_BYTES = LIMITS.headerBlockBytes;

/** Of a body that comes fast, as much is read at once as is there: each read costs as much as copying some of it. */
const FIRST_READ_BYTES = 16 * 1024;
const MAX_READ_BYTES = 256 * 1024;

export class HttpExchange implements StreamHandler {
  /** The answer, once its head is here; rejects with `StreamError` if the stream ends before that. */
  readonly answer: Promise<Response>;
  readonly #stream: () => ExchangeStream;
  readonly #isHead: boolean;
  readonly #keep: Keep | undefined;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: StreamError) => void;
  readonly #askedAt = Date.now();
  /** The head of an answer of which more may stand in the same message, and what has come of its body. */
  #head: ResponseHead | undefined;
  #begun: Uint8Array[] = [];
  #writer: ResponseWriter | undefined;
  #ended = false;
  #isUploading = false;
  #wakeUpload: (() => void) | undefined;
  #tellOver: () => void = () => undefined;

  /** `stream` is asked for only after `Connection.open` has returned it. `keep` is shown each answer. */
  constructor(stream: () => ExchangeStream, method: string, keep?: Keep) {
    this.#stream = stream;
    this.#keep = keep;
    this.#isHead = method === "HEAD";
    const { promise, resolve, reject } = Promise.withResolvers<Response>();
    this.answer = promise;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  /** Calls back, perhaps more than once, when the browser has its answer or gets no more of it. */
  onOver(tell: () => void): void {
    this.#tellOver = tell;
  }

  /** There is no stream, or it became something else than an HTTP exchange: nothing is left to wait for. */
  retire(): void {
    this.#tellOver();
  }

  /** Looks whether it has waited for too long; to be called every ten seconds or so until it is over. */
  look(now: number): void {
    if (this.#writer) this.#writer.look(now);
    // Also where the answer has no body, and no end.
    else if (now - this.#askedAt >= RESPONSE_TIMEOUT_MS)
      this.#stream().fail(new StreamError("upstream_timeout", "no answer from the instance"));
  }

  /** Ends it both ways, whatever of the answer is on its way. */
  cut(reason: string): void {
    const error = new StreamError("denied", reason);
    this.#stream().fail(error);
    this.#writer?.abort(error);
  }

  response(head: ResponseHead): void {
    this.#head = head;
    // The rest of the message is read before that.
    queueMicrotask(() => this.#answer());
  }

  data(payload: Uint8Array): void {
    if (this.#head) this.#begun.push(payload);
    else if (this.#writer) this.#writer.write(payload);
    else this.#stream().consume(payload.byteLength);
  }

  end(): void {
    this.#ended = true;
    if (this.#head) this.#answer();
    else this.#endBody();
    // The application has said all it has to say: nobody waits for the rest of the request.
    if (this.#isUploading) this.#stream().fail(new StreamError("cancelled", "answered before the end"));
  }

  reset(error: StreamError): void {
    this.#answer();
    this.#wakeUpload?.();
    if (this.#ended) return;
    this.#reject(error);
    if (this.#writer) this.#writer.abort(error);
    else this.#tellOver();
  }

  writable(): void {
    this.#wakeUpload?.();
  }

  /** Begins sending a request's body; ends with it or with the stream. `flush` sends what was written, so that its memory can be used again. */
  upload(body: ReadableStream<Uint8Array>, flush: () => void): void {
    this.#isUploading = true;
    // A body that breaks off is a browser that went away.
    this.#upload(body, flush).catch(() => {
      this.#stream().fail(new StreamError("cancelled", "the browser went away"));
    });
  }

  async #upload(body: ReadableStream<Uint8Array>, flush: () => void): Promise<void> {
    const reader = body.getReader({ mode: "byob" });
    let buffer = new ArrayBuffer(FIRST_READ_BYTES);
    while (!this.#stream().isOver) {
      const { done, value } = await reader.read(new Uint8Array(buffer));
      if (done) {
        this.#isUploading = false;
        return this.#stream().end();
      }
      await this.#send(value);
      // From here on the buffer is read into again: new memory for each read cost a third of an upload.
      flush();
      const isFull = value.byteLength === value.buffer.byteLength && value.byteLength < MAX_READ_BYTES;
      buffer = isFull ? new ArrayBuffer(4 * value.byteLength) : value.buffer;
    }
    await reader.cancel();
  }

  async #send(data: Uint8Array): Promise<void> {
    const stream = this.#stream();
    let sent = stream.write(data);
    while (sent < data.byteLength && !stream.isOver) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#wakeUpload = resolve;
      await promise;
      sent += stream.write(data.subarray(sent));
    }
  }

  /** Answers with what has come: the whole answer or its beginning. */
  #answer(): void {
    const head = this.#head;
    if (!head) return;
    const begun = this.#begun;
    this.#head = undefined;
    this.#begun = [];
    try {
      this.#resolve(this.#response(head, begun));
    } catch (error) {
      const failure = asStreamError(error);
      this.#reject(failure);
      this.#stream().fail(failure);
    }
    for (const payload of begun) this.data(payload);
    if (this.#ended) this.#endBody();
  }

  #response({ status, headers: fields }: ResponseHead, begun: readonly Uint8Array[]): Response {
    const headers = responseHeaders(fields);
    this.#keep?.(headers, { status, headers: fields });
    const encodeBody = headers.has("content-encoding") ? "manual" : "automatic";
    const init: ResponseInit = { status, headers, encodeBody };
    if (this.#isHead || NULL_BODY.has(status)) return new Response(null, init);
    const whole = this.#ended ? wholeBody(begun, headers) : undefined;
    if (whole) return new Response(whole, init);
    this.#writer = this.#openBody(headers);
    return new Response(this.#writer.readable, init);
  }

  #endBody(): void {
    if (this.#writer) this.#writer.end();
    else this.#tellOver();
  }

  #openBody(headers: Headers): ResponseWriter {
    return new ResponseWriter(headers, {
      consumed: (bytes) => this.#stream().consume(bytes),
      abandoned: () => this.#stream().reset("cancelled"),
      over: () => this.#tellOver(),
    });
  }
}

/** A body that is all here, in memory of its own; undefined where it is long, or not as long as was said. */
function wholeBody(parts: readonly Uint8Array[], headers: Headers): Uint8Array | undefined {
  let bytes = 0;
  for (const part of parts) bytes += part.byteLength;
  const said = headers.get("content-length");
  if (bytes > WHOLE_BYTES || (said !== null && Number(said) !== bytes)) return undefined;
  const body = new Uint8Array(bytes);
  let offset = 0;
  for (const part of parts) {
    body.set(part, offset);
    offset += part.byteLength;
  }
  return body;
}
