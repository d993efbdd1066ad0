import type { ClaudeSession } from "@ai-orchestrator/protocol";
import {
  cardState,
  instanceTitle,
  laneOf,
  lastPathPart,
  orderKey,
  sessionsByUrgency,
  type CardState,
  type Instance,
} from "../instance.ts";
import { instanceOrigin } from "../origins.ts";
import { routes } from "../routes.ts";
import { Glyph } from "./glyph.tsx";
import { Since } from "./time.tsx";
import type { View } from "./view.ts";
import { shortPath, STATE_WORDS, STATUS_MEANINGS } from "./words.ts";

/** Lines a card keeps room for, so that all cards are of one height and nothing jumps. */
const LINES = 2;

/** Id of an instance's card in the page; a label is a DNS label, so it needs no escaping anywhere. */
export function cardId(label: string): string {
  return `card-${label}`;
}

/** The one drawing of an instance: for the page, for a piece of it, and for a push. */
export function InstanceCard({ instance, view }: { instance: Instance; view: View }) {
  const { state } = cardState(instance);
  const title = instanceTitle(instance);
  return (
    <li
      class="card"
      id={cardId(instance.label)}
      data-client-id={instance.clientId}
      data-state={state}
      data-status={instance.connected ? instance.status : "unreachable"}
      data-lane={laneOf(state)}
      data-order={orderKey(instance)}
    >
      <Glyph state={state} />
      <h3 class="card-title" title={title}>
        <bdi>{title}</bdi>
        {instance.connected && (
          <span class="card-status" title={STATUS_MEANINGS[instance.status]}>
            {instance.status}
          </span>
        )}
      </h3>
      <a
        class="button card-open"
        href={`${instanceOrigin(instance.label, view.origins)}/`}
        aria-label={`Open ${title}`}
      >
        Open
      </a>
      <CardPlace instance={instance} now={view.now} />
      <ul class="card-lines">
        <Lines instance={instance} now={view.now} />
      </ul>
      <CardMore instance={instance} title={title} />
    </li>
  );
}

function CardPlace({ instance, now }: { instance: Instance; now: number }) {
  const { hostname, project } = instance;
  return (
    <p class="card-place">
      <span class="card-where" title={`${hostname} ${project}`}>
        <bdi class="card-host">{hostname}</bdi>
        <span class="card-path" aria-hidden="true">
          <bdi dir="ltr">{shortPath(project)}</bdi>
        </span>
        <span class="visually-hidden">{project}</span>
      </span>
      <span class="card-proof">
        seen <Since at={instance.heardAt} now={now} />
      </span>
    </p>
  );
}

function Lines({ instance, now }: { instance: Instance; now: number }) {
  const { state, since } = cardState(instance);
  const sessions = instance.connected ? sessionsByUrgency(instance) : [];
  if (sessions.length === 0) {
    return <Line state={state} text={quietWords(instance)} since={since} now={now} />;
  }
  const shown = sessions.slice(0, LINES);
  const hidden = sessions.length - shown.length;
  return (
    <>
      {shown.map((session, index) => (
        <Line
          state={session.state}
          text={sessionTitle(session, instance)}
          more={index === LINES - 1 ? hidden : 0}
          since={session.since}
          now={now}
        />
      ))}
    </>
  );
}

/** What there is to say of an instance that shows no session. */
function quietWords(instance: Instance): string {
  if (!instance.connected) return goneWords(instance);
  return instance.status === "active" ? STATUS_MEANINGS.active : "";
}

interface LineProps {
  state: CardState;
  text: string;
  /** How many sessions have no line. */
  more?: number;
  since: number;
  now: number;
}

function Line({ state, text, more = 0, since, now }: LineProps) {
  return (
    <li class="line" data-state={state}>
      <Glyph state={state} />
      <span class="line-state">{STATE_WORDS[state]}</span>
      <bdi class="line-text" title={text}>
        {text}
      </bdi>
      <span class="line-end">
        {more > 0 && <span class="line-more" title={`${more} more`}>{`+${more}`}</span>}
        <Since at={since} now={now} />
      </span>
    </li>
  );
}

/** What is behind the card; asked for when it is opened, and left alone by pushes. */
function CardMore({ instance, title }: { instance: Instance; title: string }) {
  return (
    <details
      class="card-more"
      hx-get={routes.clientDetails(instance.label)}
      hx-trigger="expand"
      hx-target="find .card-details"
      hx-swap="innerHTML"
    >
      <summary aria-label={`More about ${title}`} title="More">
        <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
          <use href="#icon-more" />
        </svg>
      </summary>
      <div class="card-details" hx-morph-skip-children="">
        <a href={routes.client(instance.label)}>Details</a>
      </div>
    </details>
  );
}

/** What a session is called; its project where it has no title and works elsewhere than the instance. */
export function sessionTitle(session: ClaudeSession, instance: Pick<Instance, "project">): string {
  if (session.title !== undefined && session.title !== "") return session.title;
  return session.project === instance.project ? "" : lastPathPart(session.project);
}

/** Why an instance is not connected, in words. */
export function goneWords({ goneReason }: Pick<Instance, "goneReason">): string {
  switch (goneReason) {
    case "stopped":
      return "its connector was stopped";
    case "disconnected":
      return "disconnected by its owner";
    case "token_revoked":
      return "its token was revoked";
    case "unauthorized":
      return "its token has expired";
    case "replaced":
      return "connected again elsewhere";
    case null:
    case "connection_lost":
    case "heartbeat_timeout":
      return "the connection was lost";
    default:
      return `connection closed: ${goneReason.replaceAll("_", " ")}`;
  }
}
