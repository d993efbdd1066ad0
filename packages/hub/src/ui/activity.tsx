import { ACTIVITY_FILTERS, type ActivityEntry } from "../activity.ts";
import type { ActivityPage, ActivityQuery } from "../contracts.ts";
import { instanceTitle, type Instance } from "../instance.ts";
import { routes } from "../routes.ts";
import { activityText, activityWords, FILTER_WORDS, titleOf } from "./activity-words.ts";
import { UTC, type Calendar } from "./calendar.ts";
import { ExactTime } from "./exact-time.tsx";
import { Glyph } from "./glyph.tsx";

/** The longest text that is searched for. */
export const MAX_SEARCH = 100;

/** A query of which parts may be taken away. */
type Asked = { [K in keyof ActivityQuery]: ActivityQuery[K] | undefined };

/** The address of a page of the activity. */
export function activityUrl({ filter, label, text, before }: Asked): string {
  const query = new URLSearchParams();
  if (filter !== undefined && filter !== "all") query.set("show", filter);
  if (label !== undefined) query.set("instance", label);
  if (text !== undefined) query.set("q", text);
  if (before !== undefined) query.set("before", String(before));
  return query.size === 0 ? routes.activity : `${routes.activity}?${query.toString()}`;
}

interface ControlsProps {
  query: ActivityQuery;
  /** Those to choose from. */
  instances: readonly Instance[];
  /** What the chosen one is called, though it may be gone. */
  chosen: string | undefined;
}

/** What is shown: of which kind, of which instance, with which text. */
export function ActivityControls({ query, instances, chosen }: ControlsProps) {
  const { filter, label, text } = query;
  return (
    <>
      <nav class="choice" aria-label="Kinds of entries">
        {ACTIVITY_FILTERS.map((one) => (
          <a
            href={activityUrl({ ...query, filter: one, before: undefined })}
            aria-current={one === filter ? "page" : undefined}
          >
            {FILTER_WORDS[one]}
          </a>
        ))}
      </nav>
      <form class="inline-form" id="activity-search" role="search" method="get" action={routes.activity}>
        {filter !== "all" && <input type="hidden" name="show" value={filter} />}
        <label for="activity-instance" class="visually-hidden">
          Instance
        </label>
        <select id="activity-instance" name="instance">
          <option value="">Every instance</option>
          {label !== undefined && !instances.some((one) => one.label === label) && (
            <option value={label} selected>
              {chosen}
            </option>
          )}
          {instances.map((instance) => (
            <option value={instance.label} selected={instance.label === label}>
              {optionWords(instance)}
            </option>
          ))}
        </select>
        <label for="activity-text" class="visually-hidden">
          Text
        </label>
        <input
          id="activity-text"
          type="search"
          name="q"
          maxlength={MAX_SEARCH}
          autocomplete="off"
          placeholder="Search"
          value={text}
        />
        <button class="button" type="submit">
          Search
        </button>
      </form>
    </>
  );
}

/** Titles are often the same: the machine tells them apart. */
function optionWords(instance: Instance): string {
  const title = instanceTitle(instance);
  return instance.hostname === "" || instance.hostname === title
    ? title
    : `${title} (${instance.hostname})`.slice(0, 120);
}

interface DaysProps {
  entries: readonly ActivityEntry[];
  calendar: Calendar;
  now: number;
  /** False where all of it is one instance's. */
  named: boolean;
}

/** Entries under their days, newest first. */
export function ActivityDays({ entries, calendar, now, named }: DaysProps) {
  const days = new Map<string, ActivityEntry[]>();
  for (const entry of entries) {
    const day = calendar.day(entry.at);
    days.set(day, [...(days.get(day) ?? []), entry]);
  }
  return (
    <>
      {[...days].map(([day, ofDay]) => (
        <section aria-labelledby={`day-${day}`}>
          <h2 class="lane-heading" id={`day-${day}`}>
            <time datetime={day}>{calendar.dayWords(ofDay[0]?.at ?? now, now)}</time>
          </h2>
          <ActivityList entries={ofDay} calendar={calendar} named={named} />
        </section>
      ))}
      {calendar.zone === UTC && entries.length > 0 && <p class="hint">Times are UTC.</p>}
    </>
  );
}

/** Entries, a line for each. */
export function ActivityList({ entries, calendar, named }: Omit<DaysProps, "now">) {
  return (
    <ol class="events">
      {entries.map((entry) => (
        <Entry entry={entry} calendar={calendar} named={named} />
      ))}
    </ol>
  );
}

function Entry({ entry, calendar, named }: { entry: ActivityEntry; calendar: Calendar; named: boolean }) {
  const [first, ...others] = activityWords(entry);
  return (
    <li
      class="line event"
      id={`entry-${entry.id}`}
      data-kind={entry.kind}
      data-state={first.state ?? undefined}
    >
      <ExactTime at={entry.at} calendar={calendar} />
      {first.state === null ? <PersonIcon /> : <Glyph state={first.state} />}
      {named && (
        <a class="event-name" href={routes.client(entry.label)} title={titleOf(entry)}>
          <bdi>{titleOf(entry)}</bdi>
        </a>
      )}
      <span class="line-text" title={activityText(entry)}>
        <bdi class={first.state === null ? undefined : "line-state"}>{first.what}</bdi>
        {first.about !== "" && " "}
        {first.about !== "" && <bdi>{first.about}</bdi>}
        {others.map(({ what, about }) => (
          <span class="hint">
            {" · "}
            {what} <bdi>{about}</bdi>
          </span>
        ))}
      </span>
    </li>
  );
}

function PersonIcon() {
  return (
    <svg class="glyph hint" viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
      <use href="#icon-person" />
    </svg>
  );
}

interface EndProps {
  query: ActivityQuery;
  page: ActivityPage;
}

/** Below the entries: why there are none, and the way to older ones and back. */
export function ActivityEnd({ query, page: { entries, next, isIncomplete } }: EndProps) {
  return (
    <>
      {entries.length === 0 && <p>{next === null ? nothingWords(query) : "Nothing like it so far."}</p>}
      {isIncomplete && <p>A part of what happened then cannot be read now.</p>}
      <p class="pager">
        {query.before !== undefined && <a href={activityUrl({ ...query, before: undefined })}>Newest</a>}
        {next !== null && (
          <a href={activityUrl({ ...query, before: next })} rel="next">
            {entries.length === 0 ? "Search what is older" : "Older"}
          </a>
        )}
        {entries.length === 0 && <WayOut query={query} />}
      </p>
    </>
  );
}

function nothingWords({ before, filter, label, text }: ActivityQuery): string {
  if (before !== undefined) return "There is nothing older.";
  if (filter !== "all" || text !== undefined) return "Nothing like it has happened.";
  if (label !== undefined) return "Nothing has happened on this instance yet.";
  return "Nothing has happened yet. Connect an instance, and what happens on it is told here.";
}

/** From a page that shows nothing to one that may show something. */
function WayOut({ query: { filter, label, text } }: Pick<EndProps, "query">) {
  if (filter !== "all" || text !== undefined) {
    return <a href={activityUrl({ filter: "all", label })}>Show everything</a>;
  }
  if (label !== undefined) return <a href={routes.activity}>Every instance</a>;
  return <a href={routes.dashboard}>Instances</a>;
}
