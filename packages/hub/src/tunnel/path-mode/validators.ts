/**
 * What tells versions of an answer apart, where its body is rewritten: the instance's own tag with the version of the rewriting, so
 * that what a browser keeps is asked after and not fetched again, and another rewriting is another version.
 */
import { assetsVersion } from "../../assets.ts";

const ENTITY_TAG = /(?:W\/)?"([^"]*)"/g;
const OURS = "-orchestrator-";
const SUFFIX = `${OURS}${assetsVersion}`;

/** The tag of a rewritten body; its bytes may differ with the version, so it is a weak one. */
export function rewrittenTag(tag: string): string | undefined {
  const [, opaque] = /^(?:W\/)?"([^"]*)"$/.exec(tag.trim()) ?? [];
  return opaque === undefined ? undefined : `W/"${opaque}${SUFFIX}"`;
}

/** The instance's own tags in `If-None-Match` or `If-Match`; undefined where none of them is of this version. */
export function ownTags(value: string): string | undefined {
  if (!value.includes(OURS)) return value;
  const own = [...value.matchAll(ENTITY_TAG)].flatMap(([tag, opaque = ""]) => {
    if (!opaque.includes(OURS)) return [tag];
    const text = opaque.slice(0, -SUFFIX.length);
    return opaque.endsWith(SUFFIX) ? [`"${text}"`, `W/"${text}"`] : [];
  });
  return own.length === 0 ? undefined : own.join(", ");
}

/** True where a browser asked after a rewritten body. */
export function asksAfterRewritten(value: string | null): boolean {
  return value?.includes(SUFFIX) ?? false;
}
