/** One HTTP exchange through the tunnel, on the hub's side: a request's body goes out as credit allows, the answer streams back. */
import { LIMITS, StreamError, type ResponseHead, type StreamHandler } from "@ai-orchestrator/protocol";
import type { Keep } from "./copy-rules.ts";
import { responseHeaders } from "./headers.ts";
import type { ExchangeStream } from "./instance-connection.ts";
import { ResponseWriter } from "./response-writer.ts";

/** A connector answers for its upstream well before this; it is for a connector that hangs. */
const RESPONSE_TIMEOUT_MS = 180_000;

const NULL_BODY = new Set([101, 204, 205, 304]);

export class HttpExchange implements StreamHandler {
  /** The answer, once its head is here; rejects with `StreamError` if the stream ends before that. */
  readonly answer: Promise<Response>;
  readonly #stream: () => ExchangeStream;
  readonly #isHead: boolean;
  readonly #keep: Keep | undefined;
  readonly #resolve: (response: Response) => void;
  readonly #reject: (error: StreamError) => void;
  readonly #timer: ReturnType<typeof setTimeout>;
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
    this.#timer = setTimeout(() => this.#timeOut(), RESPONSE_TIMEOUT_MS);
  }

  /** Calls back, perhaps more than once, when the browser has its answer or gets no more of it. */
  onOver(tell: () => void): void {
    this.#tellOver = tell;
  }

  /** There is no stream, or it became something else than an HTTP exchange: nothing is left to wait for. */
  retire(): void {
    clearTimeout(this.#timer);
    this.#tellOver();
  }

  /** Ends it both ways, whatever of the answer is on its way. */
  cut(reason: string): void {
    const error = new StreamError("denied", reason);
    this.#stream().fail(error);
    this.#writer?.abort(error);
  }

  response(head: ResponseHead): void {
    clearTimeout(this.#timer);
    const headers = responseHeaders(head.headers);
    this.#keep?.(headers, head);
    const hasBody = !this.#isHead && !NULL_BODY.has(head.status);
    if (hasBody) this.#writer = this.#openBody(headers);
    const body = this.#writer?.readable ?? null;
    const encodeBody = headers.has("content-encoding") ? "manual" : "automatic";
    this.#resolve(new Response(body, { status: head.status, headers, encodeBody }));
  }

  data(payload: Uint8Array): void {
    if (this.#writer) this.#writer.write(payload);
    else this.#stream().consume(payload.byteLength);
  }

  end(): void {
    this.#ended = true;
    if (this.#writer) this.#writer.end();
    else this.#tellOver();
    // The application has said all it has to say: nobody waits for the rest of the request.
    if (this.#isUploading) this.#stream().fail(new StreamError("cancelled", "answered before the end"));
  }

  reset(error: StreamError): void {
    clearTimeout(this.#timer);
    this.#wakeUpload?.();
    if (this.#ended) return;
    this.#reject(error);
    if (this.#writer) this.#writer.abort(error);
    else this.#tellOver();
  }

  writable(): void {
    this.#wakeUpload?.();
  }

  /** Begins sending a request's body; ends with it or with the stream. */
  upload(body: ReadableStream<Uint8Array>): void {
    this.#isUploading = true;
    // A body that breaks off is a browser that went away.
    this.#upload(body).catch(() => {
      this.#stream().fail(new StreamError("cancelled", "the browser went away"));
    });
  }

  async #upload(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader({ mode: "byob" });
    while (!this.#stream().isOver) {
      const { done, value } = await reader.read(new Uint8Array(LIMITS.framePayloadBytes));
      if (done) {
        this.#isUploading = false;
        return this.#stream().end();
      }
      await this.#send(value);
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

  #openBody(headers: Headers): ResponseWriter {
    return new ResponseWriter(headers, {
      consumed: (bytes) => this.#stream().consume(bytes),
      abandoned: () => this.#stream().reset("cancelled"),
      over: () => this.#tellOver(),
    });
  }

  #timeOut(): void {
    this.#stream().fail(new StreamError("upstream_timeout", "no answer from the instance"));
  }
}
