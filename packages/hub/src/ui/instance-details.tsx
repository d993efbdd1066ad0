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
import { WhoMayUse } from "./who-may-use.tsx";
import { STATE_WORDS } from "./words.ts";

/** The id of what is behind a card, in the page. */
const detailsId = (label: string) => `details-${label}`;
/** The id of what of it changes while it is open. */
const newsId = (label: string) => `news-${label}`;

interface DetailsProps {
  instance: Instance;
  /** Of this instance, newest first. */
  entries: readonly ActivityEntry[];
  calendar: Calendar;
  now: number;
  /** Its connector's report comes only for who asks. */
  isSaving: boolean;
}

/** What is behind a card: asked for when it is opened, and by dialogs.js after each action. */
export function CardDetails({ instance, entries, calendar, now, isSaving }: DetailsProps) {
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
      <div
        id={newsId(label)}
        class="news"
        hx-get={routes.clientDetails(label)}
        hx-trigger="changed"
        hx-target="this"
        hx-select={`#${newsId(label)}`}
        hx-swap="outerHTML"
      >
        <SessionList instance={instance} now={now} />
        <Facts instance={instance} calendar={calendar} now={now} />
        <LastActivity entries={entries} calendar={calendar} />
      </div>
      <p class="pager">
        <AllActivity label={label} />
        <a href={routes.client(label)}>Open this as a page</a>
      </p>
      <ReportPlace label={label} isAsked={!isSaving} />
    </div>
  );
}

/** Everything there is to say of an instance, on its own page. */
export function WholeDetails({ instance, entries, calendar, now, isSaving }: DetailsProps) {
  return (
    <>
      <ActionForms instance={instance} />
      <Facts instance={instance} calendar={calendar} now={now} />
      <SessionTable instance={instance} now={now} />
      <section aria-labelledby="last-activity">
        <h2 id="last-activity">Last activity</h2>
        <LastActivity entries={entries} calendar={calendar} />
        <p class="pager">
          <AllActivity label={instance.label} />
        </p>
      </section>
      <section aria-labelledby="report-heading">
        <h2 id="report-heading">Connector</h2>
        <ReportPlace label={instance.label} isAsked={!isSaving} />
      </section>
    </>
  );
}

function Facts({ instance, calendar, now }: Omit<DetailsProps, "entries" | "isSaving">) {
  const { software, upstream, absence, access } = instance;
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
      {access !== null && (
        <>
          <dt>May use it</dt>
          <dd>
            <WhoMayUse access={access} />
          </dd>
        </>
      )}
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
      <dt>Path mode</dt>
      <dd>
        <a href={routes.clientPath(instance.label)}>{instance.pathTrusted ? "allowed" : "not allowed"}</a>
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

function LastActivity({ entries, calendar }: Pick<DetailsProps, "entries" | "calendar">) {
  if (entries.length === 0) return <p class="hint">Nothing has happened yet.</p>;
  return <ActivityList entries={entries} calendar={calendar} named={false} />;
}

function AllActivity({ label }: { label: string }) {
  return <a href={activityUrl({ filter: "all", label })}>All activity</a>;
}
