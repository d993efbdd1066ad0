/**
 * Addresses in HTML as it streams: attributes of tags, style elements, import maps and speculation rules. The tokenizer of
 * htmlparser2 forgives what browsers forgive, and what it takes otherwise than they do loses a prefix, never a byte.
 */
import { Tokenizer } from "htmlparser2";
import { createCssScanner, createJsonScanner } from "./css.ts";
import { tagInsertions, type Attribute, type Tag } from "./html-attributes.ts";
import type { Insertion, Scanner } from "./insertions.ts";
import type { PathPlace } from "./place.ts";

/** A tag that is longer goes on as it is; what was read of it by then is decided. */
const MAX_TAG = 64 * 1024;
/** What is kept beside it: names of tags may begin in one piece and end in the next. */
const MAX_NAME = 256;

type TokenizerCallbacks = ConstructorParameters<typeof Tokenizer>[1];

export class HtmlScanner implements Scanner, TokenizerCallbacks {
  readonly #place: PathPlace;
  readonly #tokenizer = new Tokenizer({ decodeEntities: false }, this);
  /** What may still be asked for, and its offset in the body. */
  #text = "";
  #textAt = 0;
  #end = 0;
  #found: Insertion[] = [];
  /** The tag that is being read, from its name on. */
  #tag: Tag | undefined;
  #attribute: Attribute | undefined;
  /** Between a start tag and its end tag, where that is text of its own. */
  #inner: Scanner | undefined;

  constructor(place: PathPlace) {
    this.#place = place;
  }

  get decided(): number {
    if (this.#tag !== undefined) return this.#tag.nameEnd;
    return this.#inner?.decided ?? this.#end;
  }

  push(text: string): Insertion[] {
    this.#text += text;
    this.#end += text.length;
    this.#tokenizer.write(text);
    if (this.#tag !== undefined && this.#end - this.#tag.nameEnd > MAX_TAG) this.#decideTag(this.#tag);
    const kept = Math.max(this.#textAt, Math.min(this.#tag?.nameEnd ?? this.#end, this.#end - MAX_NAME));
    this.#text = this.#text.slice(kept - this.#textAt);
    this.#textAt = kept;
    return this.#taken();
  }

  finish(): Insertion[] {
    this.#tokenizer.end();
    this.#endInner();
    return this.#taken();
  }

  // ── What the tokenizer calls; offsets are those of the whole body ──

  onopentagname(start: number, end: number): void {
    this.#tag = { name: this.#slice(start, end).toLowerCase(), nameEnd: end, attributes: [] };
  }

  onattribname(start: number, end: number): void {
    const name = this.#slice(start, end).toLowerCase();
    this.#attribute = { name, at: start, value: "", valueAt: end };
  }

  onattribdata(start: number, end: number): void {
    if (this.#attribute === undefined) return;
    if (this.#attribute.value === "") this.#attribute.valueAt = start;
    // Of a tag that was too long nothing is kept.
    if (this.#tag !== undefined) this.#attribute.value += this.#slice(start, end);
  }

  onattribend(): void {
    if (this.#attribute !== undefined) this.#tag?.attributes.push(this.#attribute);
    this.#attribute = undefined;
  }

  onopentagend(end: number): void {
    if (this.#tag === undefined) return;
    const tag = this.#tag;
    this.#decideTag(tag);
    this.#inner = this.#innerOf(tag, end + 1);
  }

  onselfclosingtag(end: number): void {
    // In HTML the slash means nothing.
    this.onopentagend(end);
  }

  ontext(start: number, end: number): void {
    if (this.#inner !== undefined) this.#found.push(...this.#inner.push(this.#slice(start, end)));
  }

  onclosetag(): void {
    this.#endInner();
  }

  onattribentity(): void {}
  oncdata(): void {}
  oncomment(): void {}
  ondeclaration(): void {}
  onend(): void {}
  onprocessinginstruction(): void {}
  ontextentity(): void {}

  #decideTag(tag: Tag): void {
    this.#found.push(...tagInsertions(tag, this.#place));
    this.#tag = undefined;
  }

  #innerOf({ name, attributes }: Tag, at: number): Scanner | undefined {
    if (name === "style") return createCssScanner(this.#place, at);
    const type = attributes
      .find((attribute) => attribute.name === "type")
      ?.value.trim()
      .toLowerCase();
    const isMap = name === "script" && (type === "importmap" || type === "speculationrules");
    return isMap ? createJsonScanner(this.#place, at) : undefined;
  }

  #endInner(): void {
    if (this.#inner !== undefined) this.#found.push(...this.#inner.finish());
    this.#inner = undefined;
  }

  #slice(start: number, end: number): string {
    return this.#text.slice(Math.max(0, start - this.#textAt), Math.max(0, end - this.#textAt));
  }

  #taken(): Insertion[] {
    const found = this.#found;
    this.#found = [];
    return found;
  }
}
