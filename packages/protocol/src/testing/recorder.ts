/** A stream's owner that writes down what it is told. */
import type { StreamError } from "../errors.ts";
import type { RequestHead, ResponseHead } from "../header-block.ts";
import type { StreamHandler } from "../stream-handler.ts";
import type { Stream } from "../stream.ts";

export class Recorder implements StreamHandler {
  /** One line for each call except `writable`, in order: `response 200`, `data 5 text more`, `end`, `close 1000 bye`, `reset cancelled: why`. */
  readonly told: string[] = [];
  readonly received: Uint8Array[] = [];
  head: RequestHead | undefined;
  answer: ResponseHead | undefined;
  stream: Stream | undefined;
  writables = 0;
  error: StreamError | undefined;
  /** False: a reader that stands still. */
  consumes = true;

  get bytes(): number {
    return this.received.reduce((sum, part) => sum + part.byteLength, 0);
  }

  get text(): string {
    return this.received.map((part) => new TextDecoder().decode(part)).join("");
  }

  response(head: ResponseHead): void {
    this.answer = head;
    this.told.push(`response ${head.status}`);
  }

  data(payload: Uint8Array, text: boolean, more: boolean): void {
    this.received.push(payload.slice());
    this.told.push(`data ${payload.byteLength}${text ? " text" : ""}${more ? " more" : ""}`);
    if (this.consumes) this.stream?.consume(payload.byteLength);
  }

  end(): void {
    this.told.push("end");
  }

  close(code: number, reason: string): void {
    this.told.push(`close ${code} ${reason}`.trim());
  }

  reset(error: StreamError): void {
    this.error = error;
    this.told.push(`reset ${error.code}: ${error.message}`);
  }

  writable(): void {
    this.writables++;
  }
}
