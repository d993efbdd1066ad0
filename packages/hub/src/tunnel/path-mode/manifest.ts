/** The manifest of an instance that is installed from below a prefix: an app of its own, which keeps to it. */
import { placed, placedScope, type PathPlace } from "./place.ts";

/** Members with addresses, at the top and in the lists of other members. */
const ADDRESSES = new Set(["action", "id", "src", "start_url", "url"]);
const MAX_DEPTH = 8;

/** The manifest's text with addresses of path mode; the same text where it is no JSON object. */
export function placedManifest(text: string, place: PathPlace): string {
  const manifest = parsed(text);
  if (typeof manifest !== "object" || manifest === null || Array.isArray(manifest)) return text;
  return JSON.stringify(placedValue(manifest, "", place, 0));
}

function placedValue(value: unknown, name: string, place: PathPlace, depth: number): unknown {
  if (depth > MAX_DEPTH) return value;
  if (Array.isArray(value)) return value.map((one) => placedValue(one, name, place, depth + 1));
  if (typeof value === "object" && value !== null)
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [key, placedValue(one, key, place, depth + 1)]),
    );
  if (typeof value !== "string") return value;
  if (name === "scope") return placedScope(value, place);
  return ADDRESSES.has(name) ? placed(value, place) : value;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
