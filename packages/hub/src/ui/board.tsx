import {
  cardState,
  countInstances,
  laneOf,
  LANES,
  type Counts,
  type Instance,
  type Lane,
} from "../instance.ts";
import { InstanceCard } from "./instance-card.tsx";
import type { View } from "./view.ts";
import { LANE_WORDS, tabTitle } from "./words.ts";

export const BOARD_ID = "board";
export const COUNTS_ID = "counts";

/** Id of the list of a lane's cards. */
export function laneId(lane: Lane): string {
  return `lane-${lane}`;
}

/** All lanes; those without cards are hidden by the stylesheet, so that a card can come without its lane being sent. */
export function Lanes({ instances, view }: { instances: readonly Instance[]; view: View }) {
  const inLane = (lane: Lane) => instances.filter((instance) => laneOf(cardState(instance).state) === lane);
  return (
    <>
      {LANES.map((lane) => (
        <section class="lane" id={`section-${lane}`} aria-labelledby={`heading-${lane}`}>
          <h2 class="lane-heading" id={`heading-${lane}`}>
            {LANE_WORDS[lane]}
          </h2>
          <ul class="cards" id={laneId(lane)}>
            {inLane(lane).map((instance) => (
              <InstanceCard instance={instance} view={view} />
            ))}
          </ul>
        </section>
      ))}
    </>
  );
}

/** The counts in the header; app.js takes the tab's title from it. */
export function CountBadges({ instances }: { instances: readonly Instance[] }) {
  const counts = countInstances(instances);
  return (
    <ul class="counts" id={COUNTS_ID} data-title={tabTitle(counts)}>
      <Count of="needsYou" words={counts.needsYou === 1 ? "needs you" : "need you"} counts={counts} />
      <Count of="done" words="done" counts={counts} />
      <Count of="busy" words="busy" counts={counts} />
      <Count of="active" words="active" counts={counts} />
      <Count of="idle" words="idle" counts={counts} />
      <Count of="unreachable" words="unreachable" counts={counts} />
    </ul>
  );
}

function Count({ of, words, counts }: { of: keyof Counts; words: string; counts: Counts }) {
  if (counts[of] === 0) return null;
  return (
    <li data-count={of}>
      <b>{counts[of]}</b> {words}
    </li>
  );
}
