/**
 * Where a script can be put into an HTML document so that it stands in its head, found in the document's first bytes. A whole
 * parser would also read what follows, and HTMLRewriter gives up, in the middle of a page, on markup that browsers forgive.
 */

/** `at`: offset to insert at. `before`: everything up to there has been read and may go on; the rest waits for more. */
export type HeadSearch =
  | { found: "here"; at: number }
  | { found: "not_yet"; before: number }
  | { found: "never" };

/** What may stand before `<head>`: space and a byte order mark, comments, doctypes and what browsers take for comments. */
const SPACE = /[\t\n\f\r \u00ef\u00bb\u00bf]+/y;
const COMMENT = /<!--(?:-?>|[^]*?--!?>)|<!(?!--)[^>]*>|<\?[^>]*>/y;
/** A document of two bytes a character says so by its first two, whatever its header says. */
const UTF_16 = /^(?:\u00ff\u00fe|\u00fe\u00ff)/;
const UTF_16_BEGUN = /^[\u00fe\u00ff]$/;
/** A quote counts only where an attribute's value begins. */
const ATTRIBUTES = String.raw`(?=[\t\n\f\r />])(?:=[\t\n\f\r ]*(?:"[^"]*"|'[^']*')|=(?![\t\n\f\r ]*["'])|[^>=])*>`;
const HTML_TAG = new RegExp(`<html${ATTRIBUTES}`, "iy");
const HEAD_TAG = new RegExp(`<head${ATTRIBUTES}`, "iy");
/** One of these that is not complete yet. */
const INCOMPLETE = /(?:<!|<\?|<(?:html|head)[\t\n\f\r /]|<(?:h(?:t(?:ml?)?|e(?:ad?)?)?)?$)/iy;

/** Searches the beginning of a document, or what of it was left after `before`. One character for each byte. */
export function findHead(text: string): HeadSearch {
  if (UTF_16.test(text)) return { found: "never" };
  if (UTF_16_BEGUN.test(text)) return { found: "not_yet", before: 0 };
  let at = 0;
  for (;;) {
    const next = skip(text, at);
    if (next === undefined) break;
    at = next;
  }
  const inHead = matchEnd(HEAD_TAG, text, at);
  if (inHead !== undefined) return { found: "here", at: inHead };
  const isOpen = at === text.length || matchEnd(INCOMPLETE, text, at) !== undefined;
  // Anything else ends the part before the head, and the head begins here, tag or not.
  return isOpen ? { found: "not_yet", before: at } : { found: "here", at };
}

function skip(text: string, at: number): number | undefined {
  return matchEnd(SPACE, text, at) ?? matchEnd(COMMENT, text, at) ?? matchEnd(HTML_TAG, text, at);
}

function matchEnd(pattern: RegExp, text: string, at: number): number | undefined {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : undefined;
}
