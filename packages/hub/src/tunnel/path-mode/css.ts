/** Addresses in style sheets, style elements and style attributes, and in JSON that stands in a page. */
import type { Insertion, Scanner } from "./insertions.ts";
import { missingPrefixAt, type PathPlace } from "./place.ts";

const SPACE = String.raw`[\t\n\f\r ]{0,32}`;
/** In an attribute quotes may be written as references. */
const QUOTE = `(?:["']|&quot;|&#0?3[49];|&#x2[27];)`;
const CSS_ADDRESS = new RegExp(
  `(?:\\b(?:url|src)\\(${SPACE}${QUOTE}?|(?:@import|image-set\\()${SPACE}${QUOTE})`,
  "gi",
);
/** In import maps and speculation rules every text that begins so is an address. */
const JSON_ADDRESS = /"(?=[/h])/gi;
/** Longer than what either of them finds. */
const LONGEST_MATCH = 96;

/** Finds addresses by what stands before them, across the borders of pieces. */
class AddressScanner implements Scanner {
  readonly #pattern: RegExp;
  readonly #place: PathPlace;
  /** How much of what follows must be known, to tell that a prefix is there. */
  readonly #ahead: number;
  #text = "";
  #at: number;

  constructor(pattern: RegExp, place: PathPlace, at: number) {
    this.#pattern = pattern;
    this.#place = place;
    this.#ahead = place.origin.length + place.prefix.length + 2;
    this.#at = at;
  }

  get decided(): number {
    return this.#at;
  }

  push(text: string): Insertion[] {
    this.#text += text;
    return this.#scan(Math.max(0, this.#text.length - LONGEST_MATCH - this.#ahead));
  }

  finish(): Insertion[] {
    return this.#scan(this.#text.length);
  }

  /** Decides about everything that begins before `end`. */
  #scan(end: number): Insertion[] {
    const found: Insertion[] = [];
    let next = end;
    for (const match of this.#text.matchAll(this.#pattern)) {
      if (match.index >= end) break;
      const start = match.index + match[0].length;
      const missing = missingPrefixAt(this.#text.slice(start, start + this.#ahead), this.#place);
      if (missing !== undefined) found.push({ at: this.#at + start + missing, text: this.#place.prefix });
      // What was found is not to be found again in what is kept.
      next = Math.max(next, start + (missing ?? 0));
    }
    this.#text = this.#text.slice(next);
    this.#at += next;
    return found;
  }
}

/** `at` is the offset at which the style sheet begins in what is read. */
export function createCssScanner(place: PathPlace, at = 0): Scanner {
  return new AddressScanner(CSS_ADDRESS, place, at);
}

export function createJsonScanner(place: PathPlace, at = 0): Scanner {
  return new AddressScanner(JSON_ADDRESS, place, at);
}

/** Where in a style attribute something is missing. */
export function cssInsertions(value: string, place: PathPlace, at: number): Insertion[] {
  const scanner = createCssScanner(place, at);
  return [...scanner.push(value), ...scanner.finish()];
}
