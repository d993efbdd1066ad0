/** Proof that the hub is there: a fixed text every so often, and its answer in time. It holds no process: the socket may. */

export interface HeartbeatOptions {
  intervalMs: number;
  /** How long an answer may take. */
  answerMs: number;
  send(): void;
  /** Everything that was asked is answered. */
  proved(): void;
  /** No answer came in time. Called once. */
  failed(): void;
}

/** Turns of the event loop in which what has arrived is read; one takes megabytes. */
const LAST_TURNS = 50;

export class Heartbeat {
  readonly #options: HeartbeatOptions;
  readonly #interval: NodeJS.Timeout;
  /** Sent and not answered; answers come in order, so an old one proves nothing about a later question. */
  #unanswered = 0;
  #deadline: NodeJS.Timeout | undefined;
  #lastChance: NodeJS.Immediate | undefined;
  #waitMs = Number.POSITIVE_INFINITY;
  /** Messages of any kind. */
  #heard = 0;

  constructor(options: HeartbeatOptions) {
    this.#options = options;
    this.#interval = setInterval(() => this.ask(), options.intervalMs).unref();
  }

  /** Sends one now; its answer is waited for this long. A wait that ends sooner stays as it is. */
  ask(waitMs: number = this.#options.answerMs): void {
    this.#unanswered++;
    if (waitMs < this.#waitMs) this.#wait(waitMs);
    this.#options.send();
  }

  answered(): void {
    this.#unanswered = Math.max(0, this.#unanswered - 1);
    this.#stopWaiting();
    if (this.#unanswered > 0) return this.#wait(this.#waitMs);
    this.#waitMs = Number.POSITIVE_INFINITY;
    this.#options.proved();
  }

  /** Something else arrived: an answer may stand behind it. */
  heard(): void {
    this.#heard++;
  }

  stop(): void {
    clearInterval(this.#interval);
    this.#stopWaiting();
  }

  #stopWaiting(): void {
    clearTimeout(this.#deadline);
    clearImmediate(this.#lastChance);
  }

  #wait(waitMs: number): void {
    this.#waitMs = waitMs;
    this.#stopWaiting();
    this.#deadline = setTimeout(() => this.#giveLastChance(LAST_TURNS), waitMs).unref();
  }

  /** In a process that did not run, timers that are due come before what has long arrived: that is read first. */
  #giveLastChance(turns: number): void {
    const heard = this.#heard;
    this.#lastChance = setImmediate(() => {
      if (this.#heard === heard || turns === 0) this.#fail();
      else this.#giveLastChance(turns - 1);
    });
  }

  #fail(): void {
    this.stop();
    this.#options.failed();
  }
}
