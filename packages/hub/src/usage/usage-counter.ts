/** Counts what this isolate does, by chance (sampling.ts), and knows what the Meter last told. Whatever fails here fails nobody else. */
import { errorName, log } from "../log.ts";
import { parseAllowance, type Allowance } from "./allowance.ts";
import { isAtLeast, type Level } from "./levels.ts";
import { MAX_SCALE, sampled, stepOf } from "./sampling.ts";
import { addAmounts, type Amounts, type Unit } from "./units.ts";

/** A word of the Meter's that is so much later than now is from before the clock was set back. Milliseconds. */
const AHEAD_MS = 60_000;
/** How long a refusal that was heard of is believed without a word of the Meter's. Milliseconds. */
const REFUSAL_GOOD_MS = 30 * 60_000;

export interface CounterDeps {
  /** From 0 up to 1. */
  random: () => number;
  /** Adds to the hub's sums; answers with an `Allowance`. */
  send: (amounts: Amounts) => Promise<unknown>;
  /** Lets what has begun go on after the answer that it began with. */
  waitUntil: (work: Promise<unknown>) => void;
}

export class UsageCounter {
  readonly #deps: CounterDeps;
  /** Noted and not yet sent: within one turn, or because sending has failed. */
  #noted: Amounts = {};
  #isSending = false;
  #scale = 1;
  #known: Allowance | undefined;

  constructor(deps: CounterDeps) {
    this.#deps = deps;
  }

  /** Something that is billed has happened. Costs a random number and a comparison, and once in hundreds of times a call. */
  count(unit: Unit, amount = 1): void {
    const note = sampled(amount, stepOf(unit, this.#scale), this.#deps.random);
    if (note > 0) this.#note(unit, note);
  }

  /** What the hub may do now, as far as this isolate knows. */
  level(now: number): Level {
    const known = this.known(now);
    return known === undefined || now >= known.until ? "normal" : known.level;
  }

  isAtLeast(least: Level, now: number): boolean {
    return isAtLeast(this.level(now), least);
  }

  /** When new streams are let through again, milliseconds since the epoch; null where they are. */
  exhaustedUntil(now: number): number | null {
    return this.level(now) === "exhausted" ? (this.#known?.until ?? null) : null;
  }

  /** Whether what is known is too old to go by, or nothing is. */
  isStale(now: number): boolean {
    const known = this.known(now);
    if (known === undefined || (known.level !== "normal" && now >= known.until)) return true;
    return known.goodForMs !== null && now >= known.at + known.goodForMs;
  }

  /** Somebody who knows has refused a new stream, until then. */
  learnExhausted(until: number, now: number): void {
    this.learn({ level: "exhausted", until, scale: this.#scale, at: now, goodForMs: REFUSAL_GOOD_MS }, now);
  }

  /** The Meter's last word, to be handed on; undefined where none has come here. */
  known(now: number): Allowance | undefined {
    return this.#known === undefined || this.#known.at > now + AHEAD_MS ? undefined : this.#known;
  }

  /** Takes a word of the Meter's that came with somebody's answer; what is none, or older than what is known, changes nothing. */
  learn(from: unknown, now: number): void {
    const allowance = parseAllowance(from);
    if (allowance === undefined || allowance.at > now + AHEAD_MS) return;
    if (allowance.at < (this.known(now)?.at ?? 0)) return;
    this.#known = allowance;
    this.#scale = allowance.scale;
  }

  #note(unit: Unit, note: number): void {
    addAmounts(this.#noted, { [unit]: note });
    if (this.#isSending) return;
    this.#isSending = true;
    this.#deps.waitUntil(this.#send());
  }

  async #send(): Promise<void> {
    // What else this turn counts goes along. Another request may not wait for this one's call, so from here on it makes its own.
    await Promise.resolve();
    this.#isSending = false;
    const amounts = this.#noted;
    this.#noted = {};
    try {
      this.learn(await this.#deps.send(amounts), Date.now());
    } catch (error) {
      // They go with the next. A Meter that is overrun is spared.
      addAmounts(this.#noted, amounts);
      this.#scale = Math.min(MAX_SCALE, this.#scale * 2);
      log("meter_failed", { error: errorName(error) });
    }
  }
}
