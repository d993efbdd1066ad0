/** The text with the query of every address in it cut off: sign-in codes and tokens travel in queries, and logs are kept and shown around. */
export function withoutQueries(text: string): string {
  return text.replaceAll(/((?:[a-z][a-z0-9+.-]*:\/)?\/[^\s?"'`<>]*)\?[^\s"'`<>]*/gi, "$1?…");
}
