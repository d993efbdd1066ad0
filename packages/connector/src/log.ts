/** The connector's recent log, as its owner may see it at the hub: few lines, short ones, without anything secret. */
import { TEXT_LIMITS, type LogLine } from "@ai-orchestrator/protocol";
import { cut } from "./bounded.ts";

/** UTF-8 bytes of all texts together: a sixteenth of what a control message may have. */
const MAX_BYTES = 64 * 1024;
/** No token is shorter, and what is would take letters out of every word. */
const SHORTEST_SECRET = 8;
/** Answers to the hub in any second. */
const ANSWERS_PER_SECOND = 5;

export class RecentLog {
  readonly #secrets: readonly string[];
  #lines: LogLine[] = [];
  #bytes = 0;

  /** `secrets` are texts, of eight characters or more, that never appear in it, whatever says them. */
  constructor(secrets: readonly string[]) {
    this.#secrets = secrets.filter((secret) => secret.length >= SHORTEST_SECRET);
  }

  /** Adds a line and returns it as it is kept; the oldest go where there are too many. `at` is milliseconds since the epoch. */
  add(at: number, level: LogLine["level"], text: string): LogLine {
    const line = {
      at: Math.max(0, Math.trunc(at)),
      level,
      text: cut(this.harmless(text), TEXT_LIMITS.logLine),
    };
    this.#lines.push(line);
    this.#bytes += Buffer.byteLength(line.text);
    while (this.#lines.length > TEXT_LIMITS.logLines || this.#bytes > MAX_BYTES) {
      this.#bytes -= Buffer.byteLength(this.#lines.shift()?.text ?? "");
    }
    return line;
  }

  /** Oldest first. */
  lines(): LogLine[] {
    return this.#lines.map((line) => ({ ...line }));
  }

  /** `text` on one line, without any secret. */
  harmless(text: string): string {
    let harmless = text;
    for (const secret of this.#secrets) harmless = harmless.replaceAll(secret, "…");
    return withoutSecrets(harmless)
      .replaceAll(CONTROLS, " ")
      .replaceAll(/\p{Surrogate}/gu, "\uFFFD");
  }
}

// oxlint-disable-next-line no-control-regex -- control characters are what it removes
const CONTROLS = /[\u0000-\u001F\u007F-\u009F\u2028\u2029]/g;

/** What errors of other people's code may bring along. */
const SECRETS: [RegExp, string][] = [
  // Tokens of hubs, and JSON Web Tokens.
  [/\borc_[\w-]+/g, "orc_…"],
  [/\beyJ[\w-]+\.[\w-]+\.[\w-]*/g, "eyJ…"],
  [/\b(bearer|basic) +[\w.~+/=-]+/gi, "$1 …"],
  [/\b((?:set-)?cookie): .*/gi, "$1: …"],
  // User and password, and the query, of an address.
  [/\b([a-z]+:\/\/)[^\s/@]*@/gi, "$1"],
  [/\b([a-z]+:\/\/[^\s?#]*)[?#]\S*/gi, "$1"],
];

/** `text` without what looks like a secret, wherever it came from. */
export function withoutSecrets(text: string): string {
  return SECRETS.reduce((harmless, [pattern, instead]) => harmless.replaceAll(pattern, instead), text);
}

/** Lets through what is asked now and then, not what is asked all the time. Milliseconds of a clock that never goes back. */
export class AnswerLimit {
  #answered: number[] = [];

  isAllowed(nowMs: number): boolean {
    this.#answered = this.#answered.filter((at) => nowMs - at < 1000);
    if (this.#answered.length >= ANSWERS_PER_SECOND) return false;
    this.#answered.push(nowMs);
    return true;
  }
}
