/** What is pushed to open pages: pieces of the page, each saying where it goes. */
import type { JSX } from "hono/jsx/jsx-runtime";
import { byOrder, cardState, laneOf, type Instance } from "../instance.ts";
import { BOARD_ID, CountBadges, COUNTS_ID, laneId, Lanes } from "./board.tsx";
import { cardId, InstanceCard } from "./instance-card.tsx";
import type { View } from "./view.ts";

/** The whole truth: every lane and the counts. `instances` in their order. */
export function renderBoard(instances: readonly Instance[], view: View): string {
  return text(
    <>
      <Piece target={BOARD_ID} swap="innerMorph">
        <Lanes instances={instances} view={view} />
      </Piece>
      <Piece target={COUNTS_ID} swap="outerMorph">
        <CountBadges instances={instances} />
      </Piece>
    </>,
  );
}

/**
 * The cards that changed and the counts. `changed` maps labels to whether pages have a card of it: one they have is
 * brought up to date where it stands (app.js moves it if its lane or place is another), one they lack is added.
 */
export function renderChange(
  instances: readonly Instance[],
  changed: ReadonlyMap<string, boolean>,
  view: View,
): string {
  const shown = instances.filter((instance) => changed.has(instance.label)).toSorted(byOrder);
  const labels = new Set(shown.map((instance) => instance.label));
  const removed = [...changed].filter(([label, isKnown]) => isKnown && !labels.has(label));
  return text(
    <>
      {removed.map(([label]) => (
        <Piece target={cardId(label)} swap="delete" />
      ))}
      {shown.map((instance) => (
        <CardPiece instance={instance} isKnown={changed.get(instance.label) === true} view={view} />
      ))}
      <Piece target={COUNTS_ID} swap="outerMorph">
        <CountBadges instances={instances} />
      </Piece>
    </>,
  );
}

function CardPiece({ instance, isKnown, view }: { instance: Instance; isKnown: boolean; view: View }) {
  const target = isKnown ? cardId(instance.label) : laneId(laneOf(cardState(instance).state));
  return (
    <Piece target={target} swap={isKnown ? "outerMorph" : "beforeend"}>
      <InstanceCard instance={instance} view={view} />
    </Piece>
  );
}

function Piece({ target, swap, children }: { target: string; swap: string; children?: unknown }) {
  return (
    <hx-partial hx-target={`#${target}`} hx-swap={swap}>
      {children}
    </hx-partial>
  );
}

/** Nothing here is asynchronous, so the text is there at once. */
function text(node: JSX.Element): string {
  // oxlint-disable-next-line typescript/no-base-to-string -- drawing is what toString of hono/jsx does
  const html: unknown = node.toString();
  if (typeof html !== "string") throw new TypeError("A push must not wait for anything.");
  return html;
}
