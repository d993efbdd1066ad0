/** What can be done to an instance: the words, keys and addresses of cards, the palette and the list of keys. */
import type { SessionState } from "@ai-orchestrator/protocol";
import type { InstanceAction } from "../contracts.ts";
import { sessionsByUrgency, type Instance } from "../instance.ts";
import { routes } from "../routes.ts";

/** Path mode has a page of its own, which says what it trusts. */
export type ActionName = Exclude<InstanceAction["action"], "trust_path" | "distrust_path">;

interface ActionWords {
  words: string;
  /** The key that does it to the card in focus. */
  key: string;
  /** What the card says until the hub has answered. */
  pending: string;
  /** What became of the instance, where its card does not show it by itself. */
  done: string;
  path: (id: string) => string;
}

export const INSTANCE_ACTIONS: Record<ActionName, ActionWords> = {
  refresh: {
    words: "Refresh",
    key: "r",
    pending: "asking",
    done: "was asked to look again",
    path: routes.refreshClient,
  },
  mark_seen: {
    words: "Mark as seen",
    key: "s",
    pending: "marking as seen",
    done: "is marked as seen",
    path: routes.markClientSeen,
  },
  rename: {
    words: "Rename",
    key: "e",
    pending: "renaming",
    done: "has another name",
    path: routes.renameClient,
  },
  disconnect: {
    words: "Disconnect",
    key: "d",
    pending: "disconnecting",
    done: "is disconnected and stays away",
    path: routes.disconnectClient,
  },
  let_back: {
    words: "Let it back",
    key: "d",
    pending: "letting it back",
    done: "may come back, and asks about once a minute",
    path: routes.letClientBack,
  },
  forget: {
    words: "Forget",
    key: "f",
    pending: "forgetting",
    done: "is forgotten",
    path: routes.forgetClient,
  },
};

/** Asked before an instance called `title` is forgotten. */
export function forgetQuestion(title: string): string {
  return `Forget “${title}”? Its name and place are forgotten; its activity stays. If its connector still runs it appears again.`;
}

const ENDED: ReadonlySet<SessionState> = new Set(["done", "failed"]);

/** Which of them an instance takes now, in the order in which they are offered. */
export function possibleActions(instance: Instance): ActionName[] {
  const { connected, keptAway } = instance;
  const hasUnseen = connected && sessionsByUrgency(instance).some(({ state }) => ENDED.has(state));
  const offered: [ActionName, boolean][] = [
    ["refresh", connected],
    ["mark_seen", hasUnseen],
    ["rename", true],
    ["let_back", keptAway],
    ["disconnect", connected && !keptAway],
    ["forget", !connected],
  ];
  return offered.filter(([, isPossible]) => isPossible).map(([action]) => action);
}
