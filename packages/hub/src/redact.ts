/** Web platform only: the Worker and the local runner both use it. */

/** The text with the query of every address in it cut off: sign-in codes and tokens travel in queries, and logs are kept and shown around. */
export function withoutQueries(text: string): string {
  return text.replaceAll(/((?:[a-z][a-z0-9+.-]*:\/)?\/[^\s?"'`<>]*)\?[^\s"'`<>\\]*/gi, "$1?…");
}

/** Tokens, codes, cookies and their hashes are unbroken runs of 40 characters or more; ids and words are shorter. */
const SECRET_LIKE = /[A-Za-z0-9_-]{40,}/g;

/** The text without what travels in queries and without what looks like a secret: for messages of errors, which may quote anything. */
export function withoutSecrets(text: string): string {
  return withoutQueries(text).replaceAll(SECRET_LIKE, "…");
}
