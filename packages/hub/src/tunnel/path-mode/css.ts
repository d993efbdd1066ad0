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
/** The beginning of one of these, at the end of what has come. */
const CSS_BEGUN = new RegExp(
  `(?:\\b${begun("url")}|\\b${begun("src")}|${begun("@import")}|${begun("image-set")}|` +
    `(?:\\b(?:url|src)\\(|@import|image-set\\()${SPACE}(?:&[#\\w]{0,5})?)$`,
  "i",
);
/** In import maps and speculation rules every text that begins so is an address. */
const JSON_ADDRESS = /"(?=[/h])/gi;
const JSON_BEGUN = /"$/;
/** Longer than what any of them finds. */
const LONGEST_MATCH = 96;
/** An address of which so much is here that what follows does not matter: it is over, or none of the instance's. */
const TOLD_APART =
  // oxlint-disable-next-line no-control-regex -- it is what browsers skip
  /^[\u0000-\u0020]*(?:[^\u0000-\u0020/h]|[^\u0000-\u0020"'()&<>\\]+[\u0000-\u0020"'()&<>\\])/i;

/** What finds the first letters of a word: at least one, and as many of the others as there are. */
function begun(word: string): string {
  const letters = word.split("");
  return letters
    .slice(1)
    .reduceRight((rest, letter) => `(?:${letter}${rest})?`, "")
    .replace(/^/, word.charAt(0));
}

interface Search {
  /** What stands before an address. */
  found: RegExp;
  /** The same where its end may be on its way. */
  begun: RegExp;
}

/** Finds addresses by what stands before them, across the borders of pieces. */
class AddressScanner implements Scanner {
  readonly #search: Search;
  readonly #place: PathPlace;
  /** How much of what follows must be known, to tell that a prefix is there. */
  readonly #ahead: number;
  /** What is not decided, after one letter that is: a word may have begun with it. */
  #text = "";
  #context = 0;
  #at: number;

  constructor(search: Search, place: PathPlace, at: number) {
    this.#search = search;
    this.#place = place;
    this.#ahead = place.origin.length + place.prefix.length + 2;
    this.#at = at;
  }

  get decided(): number {
    return this.#at;
  }

  push(text: string): Insertion[] {
    this.#text += text;
    return this.#scan(this.#decidable());
  }

  finish(): Insertion[] {
    return this.#scan(this.#text.length);
  }

  /** Where the first address begins, or may begin, of which too little is here. A piece that ends elsewhere waits for nothing. */
  #decidable(): number {
    // What begins before this is whole.
    const from = Math.max(0, this.#text.length - LONGEST_MATCH - this.#ahead);
    const last = this.#text.slice(from);
    const end = this.#search.begun.exec(last)?.index ?? last.length;
    for (const match of last.matchAll(this.#search.found)) {
      const address = last.slice(match.index + match[0].length);
      if (address.length < this.#ahead && !TOLD_APART.test(address)) return from + Math.min(match.index, end);
    }
    return from + end;
  }

  /** Decides about everything that begins before `end`. */
  #scan(end: number): Insertion[] {
    const found: Insertion[] = [];
    const before = this.#at - this.#context;
    let next = end;
    for (const match of this.#text.matchAll(this.#search.found)) {
      if (match.index >= end) break;
      const start = match.index + match[0].length;
      const missing = missingPrefixAt(this.#text.slice(start, start + this.#ahead), this.#place);
      if (missing !== undefined) found.push({ at: before + start + missing, text: this.#place.prefix });
      // What was found is not to be found again in what is kept.
      next = Math.max(next, start + (missing ?? 0));
    }
    this.#at = before + next;
    this.#context = Math.min(1, next);
    this.#text = this.#text.slice(next - this.#context);
    return found;
  }
}

/** `at` is the offset at which the style sheet begins in what is read. */
export function createCssScanner(place: PathPlace, at = 0): Scanner {
  return new AddressScanner({ found: CSS_ADDRESS, begun: CSS_BEGUN }, place, at);
}

export function createJsonScanner(place: PathPlace, at = 0): Scanner {
  return new AddressScanner({ found: JSON_ADDRESS, begun: JSON_BEGUN }, place, at);
}

/** Where in a style attribute something is missing. */
export function cssInsertions(value: string, place: PathPlace, at: number): Insertion[] {
  const scanner = createCssScanner(place, at);
  return [...scanner.push(value), ...scanner.finish()];
}
