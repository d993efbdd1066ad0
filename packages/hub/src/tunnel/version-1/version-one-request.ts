/** One HTTP exchange in version 1: the request's body is collected as text and sent whole, and so the answer comes. */
import {
  asStreamError,
  StreamError,
  version1,
  type StreamErrorCode,
  type StreamHandler,
} from "@ai-orchestrator/protocol";
import type { ExchangeStream, ViewerHead } from "../instance-connection.ts";
import { VersionOneError } from "./version-one-error.ts";

const { requestBodyBytes, answerTimeoutSeconds } = version1.LIMITS;

const NO_BINARY = "It sends a body that is not text, and the instance's client takes none but text.";
const BODY_TOO_LARGE = `It sends a body over ${requestBodyBytes / 1024 ** 2} MiB, more than goes to the instance's client at once.`;
const ANSWER_TOO_LARGE =
  "The answer is larger than the instance's client can send at once: 16 MiB as text, 12 MiB otherwise.";
const NO_ANSWER =
  `The instance has not finished an answer within ${answerTimeoutSeconds} seconds. Its client sends answers only when ` +
  "they are whole, so what streams without an end never comes.";

/** What a request asks of its connection. */
interface RequestLink {
  send(message: version1.HttpProxyRequest): void;
  /** Puts bytes on the connection's account, or takes them off (negative); throws `StreamError` `overloaded`. */
  hold(bytes: number): void;
  over(request: VersionOneRequest): void;
}

export class VersionOneRequest implements ExchangeStream {
  /** Random: an answer to one that was asked elsewhere is none to this. */
  readonly id = crypto.randomUUID();
  handler: StreamHandler | undefined;
  readonly #head: ViewerHead;
  readonly #link: RequestLink;
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #body: string | undefined;
  #held = 0;
  #isOver = false;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(head: ViewerHead, handler: StreamHandler, link: RequestLink) {
    this.#head = head;
    this.handler = handler;
    this.#link = link;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Takes all of it, or ends the exchange. */
  write(data: Uint8Array): number {
    if (this.#isOver) return data.byteLength;
    try {
      if (this.#held + data.byteLength > requestBodyBytes)
        throw new VersionOneError("version_1_limit", BODY_TOO_LARGE);
      this.#hold(data.byteLength);
      this.#body = (this.#body ?? "") + this.#text(data);
    } catch (error) {
      this.fail(asStreamError(error));
    }
    return data.byteLength;
  }

  /** The request is whole: it is sent, and its answer is waited for. */
  end(): void {
    if (this.#isOver || this.#timer !== null) return;
    try {
      const body = this.#body === undefined ? undefined : this.#body + this.#text();
      this.#timer = setTimeout(() => this.#timeOut(), answerTimeoutSeconds * 1000);
      this.#link.send(this.#message(body));
      this.#settle();
    } catch (error) {
      this.fail(asStreamError(error));
    }
  }

  /** Its answer, all of it. What is wrong with it costs this exchange. */
  answered(message: version1.HttpProxyResponse): void {
    try {
      const { head, body } = this.#read(message);
      this.#hold(body.byteLength);
      this.handler?.response?.(head);
      if (body.byteLength > 0) this.handler?.data(body, false, false);
      this.#release();
      this.handler?.end();
    } catch (error) {
      this.fail(asStreamError(error));
    }
  }

  /** There is an answer, and it cannot be read. */
  unreadable(why: version1.Malformed["why"]): void {
    const isLarge = why === "too_large";
    this.fail(
      isLarge
        ? new VersionOneError("version_1_limit", ANSWER_TOO_LARGE)
        : new StreamError("protocol_error", "the answer is malformed"),
    );
  }

  consume(bytes: number): void {
    this.#hold(-Math.min(bytes, this.#held));
  }

  /** Nothing of an answer is wanted any more; the client is not told, as it has no word for that. */
  reset(_code: StreamErrorCode): void {
    this.#settle();
    this.#release();
  }

  fail(error: StreamError): void {
    if (this.#isOver) return;
    this.reset(error.code);
    this.handler?.reset(error);
  }

  /** Whatever is wrong with it is a mistake of the instance's, its size included. */
  #read(message: version1.HttpProxyResponse): ReturnType<typeof version1.readAnswer> {
    try {
      return version1.readAnswer(message, this.#head.method);
    } catch (error) {
      throw new StreamError("protocol_error", asStreamError(error).message);
    }
  }

  #message(body: string | undefined): version1.HttpProxyRequest {
    const { method, target, headers, prefix } = this.#head;
    return {
      type: "http_proxy_request",
      request_id: this.id,
      method,
      path: target,
      headers: headers.map(([name, value]) => [name, version1.byteText(value)]),
      ...(body === undefined ? {} : { body }),
      ...(prefix === "" ? {} : { proxy_base: prefix }),
    };
  }

  /** The text of these bytes, or of the end; throws where it is none. */
  #text(data?: Uint8Array): string {
    try {
      return data === undefined ? this.#decoder.decode() : this.#decoder.decode(data, { stream: true });
    } catch {
      throw new VersionOneError("version_1_limit", NO_BINARY);
    }
  }

  #timeOut(): void {
    this.fail(new VersionOneError("version_1_timeout", NO_ANSWER));
  }

  #hold(bytes: number): void {
    this.#link.hold(bytes);
    this.#held += bytes;
  }

  #settle(): void {
    this.#hold(-this.#held);
  }

  #release(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#isOver = true;
    this.#link.over(this);
  }
}
