/** What is said of a setting that will not do: how it was written, what it was, what it may be. Secrets are never in it. */
import { withoutSecrets } from "./log.ts";
import type { SettingName } from "./settings-names.ts";
import { definitionOf, INTERVALS } from "./settings-table.ts";

const SHOWN_CHARACTERS = 200;
/** Longer than anything that is meant. */
const LONGEST_WORD = 100;

/** One line. `written` is the flag, variable or key; `raw` what was given there. */
export function problemWith(name: SettingName, written: string, raw: unknown, inFile: boolean): string {
  if (raw === "") return `${written}: is empty; it ${ruleOf(name, inFile)}`;
  return `${written}: ${shown(name, raw)} ${ruleOf(name, inFile)}${secondsHint(name, raw)}${signInHint(name, raw)}`;
}

function ruleOf(name: SettingName, inFile: boolean): string {
  const { rule, fileRule } = definitionOf(name);
  return inFile ? (fileRule ?? rule) : rule;
}

function shown(name: SettingName, raw: unknown): string {
  if (name === "token") return "what was given";
  if (typeof raw === "string") return JSON.stringify(cut(withoutSecrets(harmless(name, raw))));
  try {
    return cut(withoutSecrets(JSON.stringify(raw)));
  } catch {
    // It is nested too deep to be written out.
    return "what was given";
  }
}

/** What will not do as an address may still hold a password or a query, in places where no address has them. */
function harmless(name: SettingName, raw: string): string {
  if (name !== "url" && name !== "target") return raw;
  return raw.replace(/^(https?:\/\/)?[^]*@/i, "$1").replace(/[?#][^]*$/, "");
}

function cut(text: string): string {
  return text.length <= SHOWN_CHARACTERS ? text : `${text.slice(0, SHOWN_CHARACTERS)}…`;
}

/** What was meant as seconds is the usual mistake. */
function secondsHint(name: SettingName, raw: unknown): string {
  if (name !== "reconnectIntervalMs" && name !== "heartbeatIntervalMs") return "";
  const seconds = Number(raw);
  const { minimum, maximum } = INTERVALS[name === "reconnectIntervalMs" ? "reconnect" : "heartbeat"];
  const meant = seconds * 1000;
  return seconds > 0 && meant >= minimum && meant <= maximum ? `; ${seconds} seconds are ${meant}` : "";
}

/** They are not shown, so what is shown may look right. */
function signInHint(name: SettingName, raw: unknown): string {
  if (name !== "url" && name !== "target") return "";
  return typeof raw === "string" && raw.includes("@") ? ", without user and password" : "";
}

/** Of `known`, the one that was probably meant. */
export function closest(word: string, known: readonly string[]): string | undefined {
  if (word.length > LONGEST_WORD) return undefined;
  const near = known
    .map((name) => ({ name, distance: distance(word.toLowerCase(), name.toLowerCase()) }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  return near !== undefined && near.distance <= Math.max(1, Math.min(3, word.length / 4))
    ? near.name
    : undefined;
}

/** Letters to add, take out, replace, or swap with their neighbour. */
function distance(a: string, b: string): number {
  const rows = [Array.from({ length: b.length + 1 }, (_, index) => index)];
  const at = (i: number, j: number) => rows[i]?.[j] ?? 0;
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    rows.push(next);
    for (let j = 0; j < b.length; j++) {
      const isSwapped = i > 0 && j > 0 && a[i] === b[j - 1] && a[i - 1] === b[j];
      next.push(
        Math.min(
          at(i + 1, j) + 1,
          at(i, j + 1) + 1,
          at(i, j) + (a[i] === b[j] ? 0 : 1),
          isSwapped ? at(i - 1, j - 1) + 1 : Number.POSITIVE_INFINITY,
        ),
      );
    }
  }
  return at(a.length, b.length);
}
