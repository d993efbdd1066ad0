/** What stands above the board: the counts, which filter it, a search, and what it is grouped by. */
import { GROUPINGS, type Counts, type Grouping } from "../instance.ts";
import { routes } from "../routes.ts";
import { tabTitle } from "./words.ts";

export const COUNTS_ID = "counts";

interface ToolsProps {
  counts: Counts;
  grouping: Grouping;
  now: number;
}

export function BoardTools({ counts, grouping, now }: ToolsProps) {
  return (
    <div class="tools">
      <CountBadges counts={counts} now={now} />
      <input
        class="search"
        id="search"
        type="search"
        placeholder="Search"
        aria-label="Search instances"
        autocomplete="off"
        spellcheck={false}
        hidden
      />
      <nav class="choice" aria-label="Group by">
        <span aria-hidden="true">Group by</span>
        {GROUPINGS.map((one) => (
          <a
            href={`${routes.dashboard}?group=${one}`}
            aria-current={one === grouping ? ("true" as const) : undefined}
          >
            {GROUPING_WORDS[one]}
          </a>
        ))}
      </nav>
    </div>
  );
}

const GROUPING_WORDS: Record<Grouping, string> = { status: "Status", machine: "Machine", project: "Project" };

/**
 * How many are in which condition; board.js takes the tab's title from it, and badge.js the number on the icon. Each is a
 * switch that shows only such cards. `now`: by which the page sets its clock, milliseconds since the epoch.
 */
export function CountBadges({ counts, now }: { counts: Counts; now?: number | undefined }) {
  const total = counts.busy + counts.active + counts.idle + counts.unreachable;
  return (
    <ul
      class="counts"
      id={COUNTS_ID}
      aria-label="Instances by state"
      data-title={tabTitle(counts)}
      data-needs={counts.needsYou}
      data-total={total}
      data-now={now}
    >
      <Count of="needsYou" words={counts.needsYou === 1 ? "needs you" : "need you"} counts={counts} />
      <Count of="done" words="done" counts={counts} />
      <Count of="busy" words="busy" counts={counts} />
      <Count of="active" words="active" counts={counts} />
      <Count of="idle" words="idle" counts={counts} />
      <Count of="unreachable" words="unreachable" counts={counts} />
    </ul>
  );
}

/** One that counts nothing is there too, so that a filter by it can be taken back; the stylesheet hides it otherwise. */
function Count({ of, words, counts }: { of: keyof Counts; words: string; counts: Counts }) {
  return (
    <li data-count={of} data-empty={counts[of] === 0 || undefined}>
      <button class="count" id={`count-${of}`} type="button" aria-pressed="false" data-filter={of}>
        <b>{counts[of]}</b> {words}
      </button>
    </li>
  );
}

/** Says what the filter keeps from the eye, and takes it back; board.js fills and shows it. */
export function FilterNote() {
  return (
    <p class="filter-note" id="filter-note" hidden>
      <span></span>
      <button class="plain" type="button" id="show-all">
        Show all
      </button>
    </p>
  );
}
