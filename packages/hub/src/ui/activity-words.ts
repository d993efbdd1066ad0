/** What happened, in words. Pure. */
import type { Absence } from "@ai-orchestrator/protocol";
import type { ActivityEntry, ActivityFilter, Happening } from "../activity.ts";
import { lastPathPart, sessionsByUrgency, type CardState } from "../instance.ts";
import { goneWords } from "./instance-card.tsx";
import { durationWords, STATE_WORDS, STATUS_MEANINGS } from "./words.ts";

export const FILTER_WORDS: Record<ActivityFilter, string> = {
  all: "All",
  connections: "Connections",
  sessions: "Sessions",
  errors: "Errors",
  actions: "Actions",
};

/** One thing of an entry: what, about what, and the state whose sign stands before it; null for what a person did. */
export interface ActivityWords {
  state: CardState | null;
  what: string;
  /** What the session is called, or what the word means; may be empty. */
  about: string;
}

/** Most urgent first, never empty. */
export function activityWords(happening: Happening): [ActivityWords, ...ActivityWords[]] {
  switch (happening.kind) {
    case "connected":
      return [{ state: "idle", what: connectedWords(happening.isNew, happening.absence), about: "" }];
    case "gone":
      return [
        {
          state: "unreachable",
          what: goneWords({ goneReason: happening.reason, keptAway: false }),
          about: "",
        },
      ];
    case "status":
      return statusWords(happening);
    case "action":
      return [{ state: null, what: actionWords(happening), about: "" }];
  }
}

/** The whole entry as one text. */
export function activityText(entry: Happening): string {
  return activityWords(entry)
    .map(({ what, about }) => (about === "" ? what : `${what}: ${about}`))
    .join(" · ");
}

/** How an instance was away, after "for 8 h". */
const ABSENCE_WORDS: Record<Absence["cause"], string> = {
  asleep: "asleep",
  frozen: "frozen",
  network: "without a way to the hub",
};

/** "8 h asleep". */
export function absenceWords({ cause, since, until }: Absence): string {
  const words = durationWords(until - since);
  return `${words === "now" ? "a moment" : words} ${ABSENCE_WORDS[cause]}`;
}

function connectedWords(isNew: boolean, absence: Absence | undefined): string {
  if (isNew) return "connected for the first time";
  return absence === undefined ? "connected" : `connected again after ${absenceWords(absence)}`;
}

function statusWords({
  status,
  sessions,
}: Extract<Happening, { kind: "status" }>): [ActivityWords, ...ActivityWords[]] {
  const [first, ...others] = sessionsByUrgency({ sessions, seenUntil: -1 }).map(
    ({ state, title, project, id }): ActivityWords => ({
      state,
      what: state === "done" ? "finished" : STATE_WORDS[state],
      about: title || lastPathPart(project) || id,
    }),
  );
  if (first !== undefined) return [first, ...others];
  return [{ state: status === "busy" ? "working" : "idle", what: status, about: STATUS_MEANINGS[status] }];
}

function actionWords({ action, actor, name }: Extract<Happening, { kind: "action" }>): string {
  switch (action) {
    case "open":
      return `opened by ${actor}`;
    case "disconnect":
      return `disconnected by ${actor}`;
    case "let_back":
      return `asked back by ${actor}`;
    case "refresh":
      return `asked for its status by ${actor}`;
    case "rename":
      return name === undefined || name === ""
        ? `name removed by ${actor}`
        : `renamed to ${name} by ${actor}`;
    case "mark_seen":
      return `marked as seen by ${actor}`;
    case "forget":
      return `forgotten by ${actor}`;
    case "trust_path":
      return `let run on the hub's address by ${actor}`;
    case "distrust_path":
      return `no longer let run on the hub's address by ${actor}`;
  }
}

/** What is told of an entry whose instance may be gone: its title then. */
export function titleOf({ title, label }: Pick<ActivityEntry, "title" | "label">): string {
  return title.trim() === "" ? label : title;
}
