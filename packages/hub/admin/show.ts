/** The hub's answers in plain words, a line for each thing. */
import type * as v from "valibot";
import {
  answerWords,
  auditWords,
  entityWords,
  KIND_WORDS,
  ROLE_WORDS,
  standingWords,
  strangerWords,
  untoldWords,
} from "../src/ui/access-words.ts";
import { decisionOf, type AuditSchema, type ListSchema, type WhySchema } from "./answers.ts";

export function showList({ entities, problems }: v.InferOutput<typeof ListSchema>): string[] {
  const lines = table(
    entities.map(({ kind, id, name, role, source, added_by: by, added_at: at }) => [
      KIND_WORDS[kind],
      name,
      String(id),
      ROLE_WORDS[role],
      source === "settings" ? "from the settings" : `by ${by ?? "setup"}, ${day(at)}`,
    ]),
  );
  const empty =
    "Nobody gets in, because the allow-list is empty. Let somebody in: npm run access -- add organization acme";
  return [
    ...(entities.length === 0 ? [empty] : lines),
    ...problems.map((problem) => `Cannot be read: ${problem}`),
  ];
}

export function showWhy(answer: v.InferOutput<typeof WhySchema>): string[] {
  const { user, people, named, policy_empty: isPolicyEmpty } = answer;
  if (people.length === 0)
    return [`Nobody called ${user} has tried to sign in here.`, strangerWords({ named, isPolicyEmpty })];
  return people.flatMap((person) => {
    const { id, login, standings, checked_at: checkedAt, tried_at: triedAt, check_due: isDue } = person;
    const asked =
      checkedAt === null
        ? []
        : [`GitHub said so ${minute(checkedAt)}${isDue ? "; it is asked again when they come next" : ""}.`];
    const away =
      triedAt !== null && checkedAt !== null && triedAt > checkedAt
        ? [`It did not answer ${minute(triedAt)}.`]
        : [];
    return [
      answerWords({ login, decision: decisionOf(person) }),
      ...(id === "local" ? [] : [[`${id}.`, ...asked, ...away].join(" ")]),
      ...table(
        standings.map(({ state, ...entity }) => [
          "",
          entityWords(entity),
          String(entity.id),
          `${standingWords(entity, state)}${untoldWords(state)}`,
        ]),
      ),
    ];
  });
}

export function showAudit({ entries, next }: v.InferOutput<typeof AuditSchema>): string[] {
  const lines = entries.map(({ at, action, user_id: userId, login, subject, reason, ip, place }) => {
    const what = [login ?? userId ?? "somebody", auditWords(action), subject].filter((part) => part !== null);
    return `${minute(at)}  ${[what.join(" "), reason, place, ip].filter((part) => part !== null).join(", ")}`;
  });
  if (entries.length === 0) return ["There is no such entry."];
  return next === null ? lines : [...lines, `Older ones: --before ${next}`];
}

/** Columns as wide as their widest cell, two spaces between them. */
function table(rows: string[][]): string[] {
  const width = (column: number) => Math.max(...rows.map((row) => row[column]?.length ?? 0));
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(width(column)))
      .join("  ")
      .trimEnd(),
  );
}

/** `2026-11-21 12:40`, by this machine's clock. */
function minute(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return iso;
  const two = (number: number) => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())} ${two(at.getHours())}:${two(at.getMinutes())}`;
}

function day(iso: string | null): string {
  return iso === null ? "" : minute(iso).slice(0, 10);
}
