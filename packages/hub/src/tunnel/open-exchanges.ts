/**
 * The HTTP exchanges in progress of one connection, by the sign-in they belong to. In memory only: while there is one, the
 * object stays. Short ones are over before anybody asks after a sign-in; only what lasts counts as open.
 */
import type { OpenSession } from "../auth/open-sessions.ts";
import type { Opener } from "./attachments.ts";
import { beyondRequest } from "../usage/prices.ts";
import { usage } from "../usage/usage.ts";
import type { HttpExchange } from "./http-exchange.ts";

/** An answer that takes longer than this is like a socket. */
const LONG_MS = 60_000;
/** How often those in progress are looked at. */
const LOOK_MS = 10_000;

interface OpenExchange extends OpenSession {
  exchange: HttpExchange;
  /** When it is long, milliseconds since the epoch. */
  longAt: number;
  isLong: boolean;
  /** Of a page in path mode. */
  isPath: boolean;
}

export class OpenExchanges {
  readonly #open = new Set<OpenExchange>();
  readonly #changed: () => void;
  /** Since when there is any: for so long the object is at work, however many there are. Milliseconds since the epoch. */
  #anySince = 0;
  /** One for all, set while there is any: it keeps the object in memory, as they do. */
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When it goes off, milliseconds since the epoch. */
  #timerAt = 0;

  /** `changed` is called when a long one has come to be, and when it is over. */
  constructor(changed: () => void) {
    this.#changed = changed;
  }

  add(exchange: HttpExchange, { sessionId, checkAt, prefix }: Opener): void {
    const now = Date.now();
    if (this.#open.size === 0) this.#anySince = now;
    // One that is due sooner must be known sooner.
    const longAt = now + Math.max(0, Math.min(LONG_MS, checkAt - now));
    const isPath = prefix !== "";
    const open: OpenExchange = { sessionId, checkAt, usedAt: now, exchange, longAt, isLong: false, isPath };
    this.#open.add(open);
    exchange.onOver(() => this.#over(open));
    this.#lookBy(Math.min(longAt, now + LOOK_MS));
  }

  /** Those that have lasted for long enough to be asked after. */
  long(): OpenSession[] {
    return [...this.#open].filter(({ isLong }) => isLong);
  }

  checked(sessionId: string, checkAt: number): void {
    for (const open of this.#of(sessionId)) open.checkAt = checkAt;
  }

  /** Cuts what a sign-in has in progress: it has ended. */
  end(sessionId: string): void {
    for (const { exchange } of this.#of(sessionId)) exchange.cut("signed out");
  }

  isAny(): boolean {
    return this.#open.size > 0;
  }

  /** Cuts what everybody has in progress. */
  endAll(reason: string): void {
    for (const { exchange } of this.#open) exchange.cut(reason);
  }

  /** Cuts what is in progress in path mode. */
  endPath(reason: string): void {
    for (const { exchange, isPath } of this.#open) if (isPath) exchange.cut(reason);
  }

  #of(sessionId: string): OpenExchange[] {
    return [...this.#open].filter((open) => open.sessionId === sessionId);
  }

  #lookBy(at: number): void {
    if (this.#timer !== undefined && this.#timerAt <= at) return;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timerAt = at;
    this.#timer = setTimeout(() => this.#look(), Math.max(0, at - Date.now()));
  }

  #look(): void {
    this.#timer = undefined;
    const now = Date.now();
    let [next, hasBecomeLong] = [now + LOOK_MS, false];
    for (const open of this.#open) {
      open.exchange.look(now);
      if (open.isLong) continue;
      if (now < open.longAt) next = Math.min(next, open.longAt);
      else hasBecomeLong = open.isLong = true;
    }
    if (hasBecomeLong) this.#changed();
    if (this.#open.size > 0) this.#lookBy(next);
  }

  #over(open: OpenExchange): void {
    if (!this.#open.delete(open)) return;
    if (this.#open.size === 0) {
      if (this.#timer !== undefined) clearTimeout(this.#timer);
      this.#timer = undefined;
      usage.count("awake_seconds", beyondRequest((Date.now() - this.#anySince) / 1000));
    }
    if (open.isLong) this.#changed();
  }
}
