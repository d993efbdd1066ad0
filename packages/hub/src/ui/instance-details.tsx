import type { Child } from "hono/jsx";
import type { ActivityEntry } from "../activity.ts";
import { sessionsByUrgency, type Instance } from "../instance.ts";
import { routes } from "../routes.ts";
import { absenceWords } from "./activity-words.ts";
import { ActivityList, activityUrl } from "./activity.tsx";
import type { Calendar } from "./calendar.ts";
import { Glyph } from "./glyph.tsx";
import { ActionForms } from "./action-forms.tsx";
import { goneWords, Line, sessionTitle } from "./instance-card.tsx";
import { ReportPlace } from "./instance-report.tsx";
import { Since } from "./time.tsx";
import { STATE_WORDS } from "./words.ts";

/** The id of what is behind a card, in the page. */
const detailsId = (label: string) => `details-${label}`;

interface DetailsProps {
  instance: Instance;
  /** Of this instance, newest first. */
  entries: readonly ActivityEntry[];
  calendar: Calendar;
  now: number;
}

/** What is behind a card: asked for when it is opened, and by dialogs.js after each action. */
export function CardDetails({ instance, entries, calendar, now }: DetailsProps) {
  const { label } = instance;
  return (
    <div
      id={detailsId(label)}
      class="details"
      hx-get={routes.clientDetails(label)}
      hx-trigger="acted"
      hx-target="this"
      hx-swap="outerHTML"
    >
      <ActionForms instance={instance} />
      <SessionList instance={instance} now={now} />
      <Facts instance={instance} calendar={calendar} now={now} />
      <LastActivity label={label} entries={entries} calendar={calendar}>
        <a href={routes.client(label)}>Page of its own</a>
      </LastActivity>
      <ReportPlace label={label} />
    </div>
  );
}

/** Everything there is to say of an instance, on its own page. */
export function WholeDetails({ instance, entries, calendar, now }: DetailsProps) {
  return (
    <>
      <ActionForms instance={instance} />
      <Facts instance={instance} calendar={calendar} now={now} />
      <SessionTable instance={instance} now={now} />
      <section aria-labelledby="last-activity">
        <h2 id="last-activity">Last activity</h2>
        <LastActivity label={instance.label} entries={entries} calendar={calendar} />
      </section>
      <section aria-labelledby="report-heading">
        <h2 id="report-heading">Connector</h2>
        <ReportPlace label={instance.label} />
      </section>
    </>
  );
}

function Facts({ instance, calendar, now }: Omit<DetailsProps, "entries">) {
  const { software, upstream, absence } = instance;
  const exact = (at: number) => calendar.exact(at);
  return (
    <dl class="facts">
      <Fact name="Project" value={instance.project} />
      <Fact name="Host" value={`${instance.hostname} (${instance.platform})`} />
      <Fact
        name="Web app"
        value={upstream === null ? "not recognised" : `${upstream.name} ${upstream.version}`}
      />
      <Fact name="Connector" value={`${software.name} ${software.version}`} />
      <Fact name="Id" value={instance.clientId} />
      <ConnectionFact instance={instance} now={now} />
      {absence !== null && (
        <Fact
          name="Away before"
          value={`${absenceWords(absence)}, from ${exact(absence.since)} to ${exact(absence.until)}`}
        />
      )}
      <dt>First seen</dt>
      <dd>
        <Since at={instance.firstSeenAt} now={now} ago />
      </dd>
    </dl>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </>
  );
}

function ConnectionFact({ instance, now }: { instance: Instance; now: number }) {
  if (instance.connected) {
    return (
      <>
        <dt>Connected</dt>
        <dd>
          <Since at={instance.connectedAt} now={now} ago />
        </dd>
      </>
    );
  }
  return (
    <>
      <dt>Unreachable</dt>
      <dd>
        <Since at={instance.goneAt ?? instance.heardAt} now={now} ago />, {goneWords(instance)}
      </dd>
    </>
  );
}

/** Every session, also those for which the card has no line. */
function SessionList({ instance, now }: { instance: Instance; now: number }) {
  if (instance.sessions.length === 0) return null;
  return (
    <ul class="session-list" aria-label={sessionsCaption(instance)}>
      {sessionsByUrgency(instance).map((session) => (
        <Line
          state={session.state}
          text={sessionTitle(session, instance) || session.id}
          project={session.project}
          since={session.since}
          now={now}
        />
      ))}
    </ul>
  );
}

function sessionsCaption({ connected }: Instance): string {
  return `Claude sessions${connected ? "" : ", as last known"}`;
}

function SessionTable({ instance, now }: { instance: Instance; now: number }) {
  if (instance.sessions.length === 0) return <p class="hint">No Claude session is known.</p>;
  return (
    <div class="table-scroll">
      <table class="table">
        <caption>{sessionsCaption(instance)}</caption>
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Session</th>
            <th scope="col">Project</th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          {sessionsByUrgency(instance).map((session) => (
            <tr>
              <td class="table-state" data-state={session.state}>
                <Glyph state={session.state} /> {STATE_WORDS[session.state]}
              </td>
              <td>
                <bdi>{sessionTitle(session, instance) || session.id}</bdi>
              </td>
              <td>
                <bdi>{session.project}</bdi>
              </td>
              <td>
                <Since at={session.since} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

interface LastActivityProps extends Pick<DetailsProps, "entries" | "calendar"> {
  label: string;
  /** Links beside the one to all of it. */
  children?: Child;
}

function LastActivity({ label, entries, calendar, children }: LastActivityProps) {
  return (
    <>
      {entries.length === 0 ? (
        <p class="hint">Nothing has happened yet.</p>
      ) : (
        <ActivityList entries={entries} calendar={calendar} named={false} />
      )}
      <p class="pager">
        <a href={activityUrl({ filter: "all", label })}>All activity</a>
        {children}
      </p>
    </>
  );
}
