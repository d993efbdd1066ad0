import { cardState, groupOf, laneOf, LANES, type Grouping, type Instance, type Lane } from "../instance.ts";
import { InstanceCard } from "./instance-card.tsx";
import type { View } from "./view.ts";
import { LANE_WORDS } from "./words.ts";

export const BOARD_ID = "board";
/** Where new cards come in; board.js takes them to their places before anybody sees them. */
export const ARRIVALS_ID = "arrivals";
/** The empty section from which board.js makes one for a group that comes new. */
const GROUP_TEMPLATE_ID = "group-template";

/** What a group without a name is called. */
const NAMELESS: Record<Grouping, string> = {
  status: "",
  machine: "No host name",
  project: "No project",
};

interface BoardProps {
  /** In their order. */
  instances: readonly Instance[];
  view: View;
  grouping: Grouping;
}

/** All cards in their groups. */
export function Board({ instances, view, grouping }: BoardProps) {
  return grouping === "status" ? (
    <Lanes instances={instances} view={view} />
  ) : (
    <Groups instances={instances} view={view} grouping={grouping} />
  );
}

/** All lanes; those without cards are hidden by the stylesheet, so that a card can come without its lane being sent. */
function Lanes({ instances, view }: Omit<BoardProps, "grouping">) {
  const groups = Map.groupBy(instances, (instance) => laneOf(cardState(instance).state));
  return (
    <>
      {LANES.map((lane) => (
        <section class="lane" id={`section-${lane}`} data-group={lane} aria-labelledby={`heading-${lane}`}>
          <Heading id={`heading-${lane}`} name={LANE_WORDS[lane]} count={groups.get(lane)?.length ?? 0} />
          <Cards id={laneId(lane)} instances={groups.get(lane) ?? []} view={view} />
        </section>
      ))}
    </>
  );
}

/** Id of the list of a lane's cards. */
function laneId(lane: Lane): string {
  return `lane-${lane}`;
}

/** By name, but first those in which something needs the person; board.js keeps the same order. */
function Groups({ instances, view, grouping }: BoardProps) {
  const groups = [...Map.groupBy(instances, (instance) => groupOf(instance, grouping))].toSorted(
    byNeedAndName,
  );
  return (
    <>
      {groups.map(([group, own]) => (
        <section class="lane" data-group={group}>
          <Heading name={group.trim() || NAMELESS[grouping]} count={own.length} />
          <Cards instances={own} view={view} />
        </section>
      ))}
    </>
  );
}

type Group = [name: string, instances: Instance[]];

function byNeedAndName(a: Group, b: Group): number {
  const [first, second] = [groupKey(a), groupKey(b)];
  return first < second ? -1 : Number(first > second);
}

function groupKey([name, instances]: Group): string {
  const needsYou = instances.some((instance) => laneOf(cardState(instance).state) === "needs-you");
  return `${needsYou ? 0 : 1} ${name.toLowerCase()} ${name}`;
}

function Heading({ id, name, count }: { id?: string; name: string; count: number }) {
  return (
    <h2 class="lane-heading" id={id}>
      <bdi>{name}</bdi> <span class="lane-count">{count}</span>
    </h2>
  );
}

function Cards({ id, instances, view }: { id?: string; instances: readonly Instance[]; view: View }) {
  return (
    <ul class="cards" id={id}>
      {instances.map((instance) => (
        <InstanceCard instance={instance} view={view} />
      ))}
    </ul>
  );
}

/** What board.js needs beside the board itself. */
export function BoardParts({ grouping }: { grouping: Grouping }) {
  return (
    <>
      <ul id={ARRIVALS_ID} hidden></ul>
      <template id={GROUP_TEMPLATE_ID} data-nameless={NAMELESS[grouping]}>
        <section class="lane">
          <Heading name="" count={0} />
          <ul class="cards"></ul>
        </section>
      </template>
    </>
  );
}
