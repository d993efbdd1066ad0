/** What is pushed to open pages: pieces of the page, each saying where it goes. */
import type { JSX } from "hono/jsx/jsx-runtime";
import { countInstances, type Counts, type Grouping, type Instance } from "../instance.ts";
import { ARRIVALS_ID, Board, BOARD_ID } from "./board.tsx";
import { COUNTS_ID, CountBadges } from "./board-tools.tsx";
import { PAIR_NOTICES_ID, PairNotices } from "./pair-notices.tsx";
import { cardId, CardProof, InstanceCard, proofId } from "./instance-card.tsx";
import type { PairingNotice } from "../pairing/contract.ts";
import type { View } from "./view.ts";

/** The whole truth: every group and the counts. `instances` in their order. */
export function renderBoard(instances: readonly Instance[], view: View, grouping: Grouping): string {
  return text(
    <>
      <Piece target={BOARD_ID} swap="innerMorph">
        <Board instances={instances} view={view} grouping={grouping} />
      </Piece>
      <Piece target={COUNTS_ID} swap="outerMorph">
        <CountBadges counts={countInstances(instances)} now={view.now} />
      </Piece>
    </>,
  );
}

interface Change {
  /** Pages have a card of each: it is brought up to date where it stands, and board.js moves it if its place is another. */
  isKnown: Instance[];
  /** Pages have no card of these: board.js puts them in their places. */
  isNew: Instance[];
  /** Labels of cards that go. */
  removed: string[];
  counts?: Counts;
  /** By which pages set their clocks, where they are to; milliseconds since the epoch. */
  now?: number | undefined;
}

/** The cards that changed, and the counts where they are given. */
export function renderChange({ isKnown, isNew, removed, counts, now }: Change, view: View): string {
  return text(
    <>
      {removed.map((label) => (
        <Piece target={cardId(label)} swap="delete" />
      ))}
      {isKnown.map((instance) => (
        <Piece target={cardId(instance.label)} swap="outerMorph">
          <InstanceCard instance={instance} view={view} />
        </Piece>
      ))}
      {isNew.map((instance) => (
        <Piece target={ARRIVALS_ID} swap="beforeend">
          <InstanceCard instance={instance} view={view} />
        </Piece>
      ))}
      {counts && (
        <Piece target={COUNTS_ID} swap="outerMorph">
          <CountBadges counts={counts} now={now} />
        </Piece>
      )}
    </>,
  );
}

/** Only when these instances were last heard of. */
export function renderProofs(instances: readonly Instance[], { now }: View): string {
  return text(
    <>
      {instances.map((instance) => (
        <Piece target={proofId(instance.label)} swap="outerMorph">
          <CardProof instance={instance} now={now} />
        </Piece>
      ))}
    </>,
  );
}

/** Who asks this person by name for a token. */
export function renderPairings(notices: readonly PairingNotice[], now: number): string {
  return text(
    <Piece target={PAIR_NOTICES_ID} swap="outerMorph">
      <PairNotices notices={notices} now={now} />
    </Piece>,
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
