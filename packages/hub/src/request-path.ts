/** Whole addresses in which nothing is left for a parser to change, and their path. */
const PLAIN = /^https?:\/\/[^/?#\\@]+(\/[\w~!$&()*+,;=:@/%.-]*)(?:\?[\w~!$&()*+,;=:@/%.?-]*)?$/;
/** Segments such as `..`, also in disguise, and names that begin with a dot. */
const DOTS = /\/(?:\.|%2e)/i;

/** The path of a request, as `URL` has it; parsed only where that would change it, because a request asks several times. */
export function pathOf({ url }: Pick<Request, "url">): string {
  const path = PLAIN.exec(url)?.[1];
  return path === undefined || DOTS.test(path) ? new URL(url).pathname : path;
}

/** Path and query, in the same way. */
export function targetOf({ url }: Pick<Request, "url">): string {
  const path = PLAIN.exec(url)?.[1];
  if (path !== undefined && !DOTS.test(path)) {
    const target = url.slice(url.indexOf("/", url.indexOf("://") + 3));
    // An empty query is none.
    return target.endsWith("?") && target.length === path.length + 1 ? path : target;
  }
  const { pathname, search } = new URL(url);
  return pathname + search;
}
