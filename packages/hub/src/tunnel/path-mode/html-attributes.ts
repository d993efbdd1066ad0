/** Which attributes of HTML hold addresses, and what each of them needs to lead to the instance. */
import { placedRefresh } from "./answer-headers.ts";
import { cssInsertions } from "./css.ts";
import type { Insertion } from "./insertions.ts";
import { missingPrefixAt, type PathPlace } from "./place.ts";

export interface Attribute {
  /** In lower case. */
  name: string;
  /** Offset of its name. */
  at: number;
  /** As it is written, references in it not resolved. */
  value: string;
  /** Offset of its value. */
  valueAt: number;
}

export interface Tag {
  /** In lower case. */
  name: string;
  /** Offset after its name. */
  nameEnd: number;
  attributes: Attribute[];
}

const ADDRESSES = new Set(["action", "background", "formaction", "href", "poster", "src", "xlink:href"]);
const CANDIDATES = new Set(["imagesrcset", "srcset"]);
/** A slash as templates write it. */
const SLASH_REFERENCE = /&(?:#0*47|#x0*2f|sol);/gi;

/** What is to be inserted into a tag, in order. */
export function tagInsertions(tag: Tag, place: PathPlace): Insertion[] {
  const inserted = tag.attributes.flatMap((attribute) => attributeInsertions(attribute, tag, place));
  return tag.name === "link" ? linkInsertions(tag, inserted) : inserted;
}

function attributeInsertions(attribute: Attribute, tag: Tag, place: PathPlace): Insertion[] {
  const { name, value, valueAt } = attribute;
  if (ADDRESSES.has(name) || (name === "data" && tag.name === "object"))
    return addressInsertions(value, place, valueAt);
  if (CANDIDATES.has(name)) return eachAddress(value, /(?:^|,)\s*([^\s,]\S*)/g, place, valueAt);
  if (name === "ping") return eachAddress(value, /(?:^|\s)(\S+)/g, place, valueAt);
  if (name === "style") return cssInsertions(value, place, valueAt);
  if (name === "content" && isRefresh(tag)) return refreshInsertions(value, place, valueAt);
  return [];
}

function addressInsertions(value: string, place: PathPlace, valueAt: number): Insertion[] {
  const at = missingPrefixAt(value.replaceAll(SLASH_REFERENCE, "/"), place);
  if (at === undefined) return [];
  return [{ at: valueAt + (value.slice(0, at).includes("&") ? 0 : at), text: place.prefix }];
}

/** The pattern's first group is an address. */
function eachAddress(value: string, pattern: RegExp, place: PathPlace, valueAt: number): Insertion[] {
  return [...value.matchAll(pattern)].flatMap((match) => {
    const address = match[1] ?? "";
    return addressInsertions(address, place, valueAt + match.index + match[0].length - address.length);
  });
}

function isRefresh({ name, attributes }: Tag): boolean {
  const equivalent = attributes.find((attribute) => attribute.name === "http-equiv");
  return name === "meta" && equivalent?.value.trim().toLowerCase() === "refresh";
}

function refreshInsertions(value: string, place: PathPlace, valueAt: number): Insertion[] {
  const after = placedRefresh(value, place);
  if (after === value) return [];
  // The prefix was put in once: where the two texts part.
  let at = 0;
  while (after.charAt(at) === value.charAt(at)) at++;
  const start = after.lastIndexOf(place.prefix, at);
  return [{ at: valueAt + start, text: place.prefix }];
}

/**
 * Browsers fetch a manifest without cookies unless told otherwise, which no page must do on a host of its own; and the sum of a style
 * sheet is of the bytes it had.
 */
function linkInsertions({ nameEnd, attributes }: Tag, inserted: Insertion[]): Insertion[] {
  const valueOf = (name: string) => attributes.find((one) => one.name === name)?.value.toLowerCase() ?? "";
  const relations = valueOf("rel").trim().split(/\s+/);
  const isManifest = relations.includes("manifest");
  const isStyle = relations.includes("stylesheet") || valueOf("as") === "style";
  const disabled = attributes.filter(
    ({ name, value }) =>
      (name === "integrity" && (isStyle || isManifest)) ||
      (name === "crossorigin" && isManifest && value.toLowerCase() !== "use-credentials"),
  );
  const added = disabled.map(({ at }) => ({ at, text: "data-" }));
  const isAsked = attributes.some(
    ({ name }) => name === "crossorigin" && !disabled.some((one) => one.name === name),
  );
  if (isManifest && !isAsked) added.push({ at: nameEnd, text: ` crossorigin="use-credentials"` });
  return [...inserted, ...added].toSorted((a, b) => a.at - b.at);
}
