/** What every text message is, in whatever protocol: JSON, an object that says its `type`. */
import { ConnectionError } from "./errors.ts";

/** Reads JSON; throws `ConnectionError` `bad_message` where it is none. */
export function parseJson(data: string): unknown {
  try {
    return JSON.parse(data);
  } catch {
    throw new ConnectionError("bad_message", "a message that is not JSON");
  }
}

/** Reads an object with a `type`, of which nothing else is known yet; throws `ConnectionError` `bad_message` for anything else. */
export function parseTyped(data: string): { type: string; value: object } {
  const value = parseJson(data);
  const type = typeof value === "object" && value !== null && "type" in value ? value.type : undefined;
  if (typeof value === "object" && value !== null && typeof type === "string") return { type, value };
  throw new ConnectionError("bad_message", "a message without a type");
}
