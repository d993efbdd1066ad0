/** Entity tags of bodies that are compressed here: the bytes are not those that the application's tag names, so the tag is a weak one. */

export function weakTag(tag: string): string {
  return tag.startsWith("W/") ? tag : `W/${tag}`;
}

/**
 * `If-None-Match` for the application: each weak tag with its strong form before it, because some servers compare the text. Where tags are
 * compared as they should be, weakly, it means the same.
 */
export function askedTags(value: string): string {
  return value.replace(/W\/("[^"]*")/g, "$1, W/$1");
}

/** The tag of a 304: the one that the browser asked by, where it has the body under the weak form of it. */
export function answeredTag(tag: string, asked: string): string {
  return asked.includes(weakTag(tag)) ? weakTag(tag) : tag;
}
