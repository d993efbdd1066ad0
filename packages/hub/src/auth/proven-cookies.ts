/**
 * Viewer cookies whose signature was found good, in the memory of this isolate: the browser that sent one sends it with every
 * request, and to check it costs more than all the rest that is done with its name. What a cookie says is believed no longer
 * than without this, and whether its sign-in has ended the Tunnel decides each time.
 */
import type { ViewerProof } from "./viewer.ts";

/** Some hundred bytes each, at most 2 KiB. */
const MAX_COOKIES = 500;

export class ProvenCookies {
  #secret = "";
  /** By label and exact value, oldest first. */
  readonly #known = new Map<string, ViewerProof>();

  /** What this cookie says at this label, where it was remembered under this secret and is still fresh. */
  recall(secret: string, label: string, value: string, now: number): ViewerProof | undefined {
    if (secret !== this.#secret) return undefined;
    const key = keyOf(label, value);
    const proof = this.#known.get(key);
    if (proof === undefined || now < proof.until) return proof;
    this.#known.delete(key);
    return undefined;
  }

  /** Remembers one that has been checked. */
  remember(secret: string, label: string, value: string, proof: ViewerProof): void {
    if (secret !== this.#secret) this.#known.clear();
    this.#secret = secret;
    this.#known.set(keyOf(label, value), proof);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_COOKIES && oldest !== undefined) this.#known.delete(oldest);
  }

  get size(): number {
    return this.#known.size;
  }
}

/** A label holds no space. */
function keyOf(label: string, value: string): string {
  return `${label} ${value}`;
}
