/** Control characters, and those that change the direction of the text around them. */
// oxlint-disable-next-line no-control-regex -- control characters are what is removed
const UNSEEN = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A text that people will read, without what they would not see, and without halves of characters. */
export function visibleText(text: string): string {
  return text.replace(UNSEEN, "").toWellFormed();
}
