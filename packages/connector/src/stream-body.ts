/** A readable's bytes into a stream as credit allows; without credit the readable is paused. */
import type { Readable } from "node:stream";
import { StreamError, type Stream } from "@ai-orchestrator/protocol";

export class StreamBody {
  readonly #source: Readable;
  readonly #stream: Stream;
  #rest: Uint8Array | undefined;
  #ended = false;

  /** Begins at once; ends the stream when the source ends, resets it when the source breaks off. */
  constructor(source: Readable, stream: Stream) {
    this.#source = source;
    this.#stream = stream;
    source.on("data", (chunk: Buffer) => this.#write(chunk));
    source.on("end", () => this.#end());
    source.on("error", (error) => this.#fail(error));
    source.on("close", () => {
      if (!this.#ended)
        this.#fail(new StreamError("upstream_failed", "the application broke off its answer"));
    });
  }

  /** Credit came back. */
  writable(): void {
    const rest = this.#rest;
    if (!rest) return;
    this.#rest = undefined;
    this.#write(rest);
    if (this.#rest) return;
    if (this.#ended) this.#stream.end();
    else this.#source.resume();
  }

  #write(chunk: Uint8Array): void {
    const sent = this.#stream.write(chunk);
    if (sent === chunk.byteLength) return;
    this.#rest = chunk.subarray(sent);
    this.#source.pause();
  }

  #end(): void {
    this.#ended = true;
    if (!this.#rest) this.#stream.end();
  }

  #fail(error: Error): void {
    this.#ended = true;
    const known = error instanceof StreamError ? error : new StreamError("upstream_failed", error.message);
    this.#stream.fail(known);
  }
}
