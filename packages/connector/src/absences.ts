/** Why an instance was without its hub, worked out from when its connection was there and when its process did not run. */
import type { Absence } from "@ai-orchestrator/protocol";
import type { Clocks, Gap } from "./gap.ts";

/** Shorter ones are a hub that was started anew. */
const NETWORK_MS = 30_000;

export class Absences {
  readonly #clocks: Pick<Clocks, "wall" | "monotonic">;
  #registered = false;
  /** When the connection that was registered ended. */
  #lost: { wall: number; monotonic: number } | undefined;
  #gap: Gap | undefined;
  /** True where the gap ended the connection, rather than fell into a time without one. */
  #isBlamed = false;

  constructor(clocks: Pick<Clocks, "wall" | "monotonic">) {
    this.#clocks = clocks;
  }

  /** The process did not run for a while. */
  gap(gap: Gap): void {
    this.#gap = this.#gap === undefined ? gap : joined(this.#gap, gap);
  }

  /** The connection is still good: whatever ends it later, it is not the gap. */
  proved(): void {
    if (this.#lost === undefined) this.#gap = undefined;
  }

  /** A connection, or an attempt at one, ended. */
  lost(): void {
    if (!this.#registered || this.#lost !== undefined) return;
    this.#lost = { wall: this.#clocks.wall(), monotonic: this.#clocks.monotonic() };
    // One that has not been proved since the gap ended because of it: the hub gave up, or the way there is gone.
    this.#isBlamed = this.#gap !== undefined;
  }

  /** The hub itself keeps the instance out: it knows why. */
  refused(): void {
    this.#forget();
    this.#registered = false;
  }

  registered(): void {
    this.#forget();
    this.#registered = true;
  }

  /** What to tell the hub in a registration now; undefined where there is nothing to tell. */
  current(): Absence | undefined {
    if (this.#lost === undefined) return undefined;
    const now = Math.max(0, Math.trunc(this.#clocks.wall()));
    const withoutMs = this.#clocks.monotonic() - this.#lost.monotonic;
    const gap = this.#gap;
    if (gap && (this.#isBlamed || 2 * (gap.until - gap.since) >= withoutMs)) return { ...gap };
    if (withoutMs < NETWORK_MS) return undefined;
    // Whoever has set the clock back meanwhile is not told of an absence that ends before it began.
    const since = Math.min(this.#lost.wall, now - withoutMs);
    return { cause: "network", since: Math.max(0, Math.trunc(since)), until: now };
  }

  #forget(): void {
    this.#lost = undefined;
    this.#gap = undefined;
    this.#isBlamed = false;
  }
}

/** A machine that wakes for seconds now and then has slept all night; of two causes the longer one counts. */
function joined(first: Gap, second: Gap): Gap {
  if (first.cause === second.cause) return { ...second, since: Math.min(first.since, second.since) };
  return first.until - first.since > second.until - second.since ? first : second;
}
