import type { ClaudeSession } from "@ai-orchestrator/protocol";
import {
  cardState,
  instanceTitle,
  laneOf,
  lastPathPart,
  orderKey,
  sessionsByUrgency,
  type Instance,
} from "../instance.ts";
import { instanceOrigin } from "../origins.ts";
import { routes } from "../routes.ts";
import { Glyph } from "./glyph.tsx";
import { Since } from "./time.tsx";
import type { View } from "./view.ts";
import { shortPath, STATE_WORDS, STATUS_MEANINGS } from "./words.ts";

/** Lines a card keeps room for, so that all cards are of one height and nothing jumps. */
const LINES = 3;

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
        <bdi>{hostname}</bdi>
        <bdi class="card-path" aria-hidden="true">
          {shortPath(project)}
        </bdi>
        <span class="visually-hidden">{project}</span>
      </span>
      <span class="card-proof">
        {instance.connected && <span title={STATUS_MEANINGS[instance.status]}>{instance.status}</span>}{" "}
        <span title="last heard from">
          <Since at={instance.heardAt} now={now} />
        </span>
      </span>
    </p>
  );
}

function Lines({ instance, now }: { instance: Instance; now: number }) {
  const { state, since } = cardState(instance);
  const sessions = instance.connected ? sessionsByUrgency(instance.sessions) : [];
  if (sessions.length === 0) {
    return (
      <Line state={state} text={instance.connected ? "" : goneWords(instance)} since={since} now={now} />
    );
  }
  const shown = sessions.length > LINES ? sessions.slice(0, LINES - 1) : sessions;
  const hidden = sessions.length - shown.length;
  return (
    <>
      {shown.map((session) => (
        <Line state={session.state} text={sessionTitle(session, instance)} since={session.since} now={now} />
      ))}
      {hidden > 0 && <li class="line line-rest">and {hidden} more</li>}
    </>
  );
}

function Line(props: {
  state: ReturnType<typeof cardState>["state"];
  text: string;
  since: number;
  now: number;
}) {
  return (
    <li class="line" data-state={props.state}>
      <Glyph state={props.state} />
      <span class="line-state">{STATE_WORDS[props.state]}</span>
      <bdi class="line-text" title={props.text}>
        {props.text}
      </bdi>
      <Since at={props.since} now={props.now} />
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
    case "unauthorized":
      return "its token was revoked";
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
