/** One HTTP exchange with the local application, on the instance's side. */
import * as http from "node:http";
import { pipeline, Readable, type Transform } from "node:stream";
import {
  LIMITS,
  StreamError,
  type RequestHead,
  type Stream,
  type StreamHandler,
} from "@ai-orchestrator/protocol";
import type { HeaderList, RequestParts } from "./adapter.ts";
import { declaredLength, LengthCheck, withLength } from "./request-length.ts";
import { planBody } from "./response-body.ts";
import { StreamBody } from "./stream-body.ts";
import type { Upstream } from "./upstream.ts";
import { answerFields, fieldOf, notForEver, upstreamFields } from "./upstream-headers.ts";

/** CONNECT would make a connection through the application, TRACE would show the page what the connector adds. */
const NOT_FORWARDED: ReadonlySet<string> = new Set(["CONNECT", "TRACE"]);

/** Whether a request says who asks. */
function isPersonal(asked: HeaderList): boolean {
  return asked.some(([name]) => name === "cookie" || name === "authorization");
}

/** What the same request twice does no harm to. */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "HEAD", "OPTIONS"]);

/** Not in Node's types for plain http. */
const NO_SERVER_NAME = { servername: "" };

/** Forwards one request; everything that goes wrong ends in a reset that says what it was. */
export function forwardHttp(
  stream: Stream,
  head: RequestHead,
  ended: boolean,
  upstream: Upstream,
): StreamHandler {
  return new HttpForward(stream, head, ended, upstream);
}

class HttpForward implements StreamHandler {
  readonly #stream: Stream;
  readonly #upstream: Upstream;
  readonly #hasBody: boolean;
  /** Body that arrived before the upstream's request was made. */
  readonly #early: Uint8Array[] = [];
  readonly #length: LengthCheck;
  #bodyEnded: boolean;
  #request: http.ClientRequest | undefined;
  #body: StreamBody | undefined;
  #answered = false;
  /** The application took some of the body since its deadline was set. */
  #hasMoved = false;

  constructor(stream: Stream, head: RequestHead, ended: boolean, upstream: Upstream) {
    this.#stream = stream;
    this.#upstream = upstream;
    this.#hasBody = !ended;
    this.#bodyEnded = ended;
    this.#length = new LengthCheck(declaredLength(head.headers));
    try {
      this.#begin(head);
    } catch (error) {
      this.#fail(error);
    }
  }

  data(payload: Uint8Array): void {
    this.#length.add(payload.byteLength);
    if (this.#request) this.#send(this.#request, payload);
    else this.#early.push(payload);
  }

  end(): void {
    // A request without a body ended when it began.
    if (!this.#hasBody) return;
    this.#length.end();
    this.#bodyEnded = true;
    this.#request?.end();
  }

  reset(): void {
    this.#upstream.deadlines.end(this);
    this.#request?.destroy();
  }

  /** No answer in time. A body that moved meanwhile has its whole time again: noted, not timed, as it moves often. */
  tooLate(): void {
    if (this.#hasMoved) {
      this.#hasMoved = false;
      return this.#upstream.deadlines.begin(this);
    }
    this.#fail(new StreamError("upstream_timeout", "no answer in time"));
  }

  writable(): void {
    this.#body?.writable();
  }

  #begin(head: RequestHead): void {
    if (NOT_FORWARDED.has(head.method))
      throw new StreamError("denied", `${head.method} requests are not forwarded`);
    if (this.#bodyEnded) this.#length.end();
    const parts = this.#upstream.adapter.prepareRequest(head);
    if (!("then" in parts)) return this.#dial(parts, head.headers);
    parts.then((later) => this.#dial(later, head.headers)).catch((error: unknown) => this.#fail(error));
  }

  #dial(parts: RequestParts, asked: HeaderList): void {
    if (this.#stream.isOver) return;
    const { target, agent } = this.#upstream;
    const request = http.request({
      host: target.hostname,
      port: target.port,
      method: parts.method,
      path: parts.target,
      headers: this.#fields(parts),
      agent,
      // Where there is none, the agent works one out for every request. Only TLS has a use for it.
      ...NO_SERVER_NAME,
      setHost: false,
      maxHeaderSize: LIMITS.headerBlockBytes,
    });
    this.#request = request;
    this.#listen(request, parts, asked);
    for (const payload of this.#early.splice(0)) this.#send(request, payload);
    if (this.#bodyEnded) request.end();
  }

  #listen(request: http.ClientRequest, parts: RequestParts, asked: HeaderList): void {
    const { deadlines } = this.#upstream;
    deadlines.begin(this);
    request.on("response", (answer) => {
      deadlines.end(this);
      this.#answer(answer, parts, asked);
    });
    request.on("upgrade", (_answer, socket) => {
      socket.destroy();
      this.#fail(new StreamError("upstream_failed", "the application switched protocols unasked"));
    });
    request.on("error", (error: NodeJS.ErrnoException) => {
      if (this.#mayRepeat(request, error)) this.#dial(parts, asked);
      else this.#fail(error);
    });
    request.on("close", () => {
      if (this.#answered || this.#request !== request) return;
      deadlines.end(this);
      this.#fail(new StreamError("upstream_failed", "the application ended without an answer"));
    });
  }

  /** A kept connection may have been closed by the upstream just as we used it, or after it had acted: so what acts is not repeated. */
  #mayRepeat(request: http.ClientRequest, error: NodeJS.ErrnoException): boolean {
    const isUnanswered = request.reusedSocket && !this.#answered && error.code === "ECONNRESET";
    return isUnanswered && !this.#hasBody && REPEATABLE.has(request.method);
  }

  #fields(parts: RequestParts): string[] {
    const fields = upstreamFields(parts, this.#upstream.target);
    return withLength(fields, { method: parts.method, hasBody: this.#hasBody });
  }

  #send(request: http.ClientRequest, payload: Uint8Array): void {
    request.write(payload, () => {
      this.#stream.consume(payload.byteLength);
      this.#hasMoved = true;
    });
  }

  #answer(answer: http.IncomingMessage, parts: RequestParts, asked: HeaderList): void {
    this.#answered = true;
    try {
      this.#body = new StreamBody(this.#respond(answer, parts, asked), this.#stream);
    } catch (error) {
      // An adapter's mistake is this stream's end, and nobody else's.
      this.#fail(error);
    }
  }

  /** Sends the head; returns the body as it is to be sent. */
  #respond(answer: http.IncomingMessage, parts: RequestParts, asked: HeaderList): Readable {
    const status = answer.statusCode ?? 502;
    const fields = answerFields(answer.rawHeaders, this.#upstream.target);
    const received = { status, headers: mayBeCut(answer) ? notForEver(fields) : fields };
    const prepared = this.#upstream.adapter.prepareResponse(parts, received);
    const { response, steps, body } = planBody(prepared.response, {
      method: parts.method,
      target: parts.target,
      accepted: fieldOf(asked, "accept-encoding"),
      askedTags: fieldOf(asked, "if-none-match"),
      isPersonal: isPersonal(asked),
      rewriteBody: prepared.rewriteBody,
      copies: this.#upstream.copies,
    });
    this.#stream.respond(response);
    if (body === undefined) return throughSteps(answer, steps);
    // Read to its end, from this machine, so that its connection can be used again.
    answer.resume();
    return Readable.from(body);
  }

  #fail(error: unknown): void {
    this.#upstream.deadlines.end(this);
    this.#request?.destroy();
    this.#stream.fail(toStreamError(error));
  }
}

/** Whether nothing says where the body ends: it ends with its connection, as it also would where the application dies. */
function mayBeCut({ statusCode, headers }: http.IncomingMessage): boolean {
  const isFramed = headers["content-length"] !== undefined || headers["transfer-encoding"] !== undefined;
  return statusCode === 200 && !isFramed;
}

function throughSteps(answer: Readable, steps: Transform[]): Readable {
  const last = steps.at(-1);
  if (!last) return answer;
  // Each step's error reaches the last one, which is where it is reported.
  pipeline([answer, ...steps], () => undefined);
  return last;
}

/** What an error of the local connection means to whoever waits for the answer. */
export function toStreamError(error: unknown): StreamError {
  if (error instanceof StreamError) return error;
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  const message = error instanceof Error ? error.message : String(error);
  switch (code) {
    case "ECONNREFUSED":
    case "EHOSTUNREACH":
    case "EADDRNOTAVAIL":
      return new StreamError("upstream_unreachable", "the application refuses connections");
    case "EOTHERUSER":
      return new StreamError("upstream_unreachable", message);
    case "ETIMEDOUT":
      return new StreamError("upstream_timeout", message);
    default:
      return new StreamError("upstream_failed", message);
  }
}
