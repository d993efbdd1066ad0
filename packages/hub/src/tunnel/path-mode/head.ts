/** Where in a document the shim is put: first in its head, before anything of the page has run. */
import { findHead } from "../html-start.ts";
import type { Insertion, Scanner } from "./insertions.ts";

/** A document whose head does not begin within as many bytes has no shim. */
const MAX_SEARCHED = 16 * 1024;
/** What a piece of a document, to be put into another, does not begin with. */
const WHOLE_DOCUMENT = /<(?:!doctype|html|head)(?![a-z0-9-])/i;

export class HeadScanner implements Scanner {
  readonly #elements: string;
  readonly #isDocument: boolean;
  #text = "";
  /** Up to where in the text there is no head. */
  #before = 0;
  #end = 0;
  #isOver = false;

  /** Text that nobody opened as a document is taken for one where it begins like one. */
  constructor(elements: string, isDocument: boolean) {
    this.#elements = elements;
    this.#isDocument = isDocument;
  }

  get decided(): number {
    return this.#isOver ? this.#end : this.#before;
  }

  push(text: string): Insertion[] {
    this.#end += text.length;
    if (this.#isOver) return [];
    this.#text += text;
    const search = findHead(this.#text.slice(this.#before, MAX_SEARCHED));
    if (search.found === "here") return this.#foundAt(this.#before + search.at);
    this.#isOver = search.found === "never" || this.#text.length > MAX_SEARCHED;
    if (search.found === "not_yet") this.#before += search.before;
    return [];
  }

  finish(): Insertion[] {
    return [];
  }

  #foundAt(at: number): Insertion[] {
    this.#isOver = true;
    const isWhole = this.#isDocument || WHOLE_DOCUMENT.test(this.#text.slice(0, at));
    return isWhole ? [{ at, text: this.#elements }] : [];
  }
}
