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
import { instanceUrl } from "../origins.ts";
import { routes } from "../routes.ts";
import { Glyph } from "./glyph.tsx";
import { possibleActions } from "./instance-actions.ts";
import { Since } from "./time.tsx";
import type { View } from "./view.ts";
import { shortPath, STATE_WORDS, STATUS_MEANINGS } from "./words.ts";

/** Lines a card keeps room for, so that all cards are of one height and nothing jumps. */
const LINES = 2;

/** Id of an instance's card in the page; a label is a DNS label, so it needs no escaping anywhere. */
export function cardId(label: string): string {
  return `card-${label}`;
}

/** Id of the piece of a card that says when it was last heard of. */
export function proofId(label: string): string {
  return `proof-${label}`;
}

/** The one drawing of an instance: for the page, for a piece of it, and for a push; the same in every grouping. */
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
      data-machine={instance.hostname}
      data-project={lastPathPart(instance.project)}
      data-order={orderKey(instance)}
      data-name={instance.name || undefined}
      data-can={possibleActions(instance).join(" ")}
    >
      <Glyph state={state} />
      <h3 class="card-title" title={title}>
        <bdi>{title}</bdi>
      </h3>
      <div class="card-actions">
        <CardActions instance={instance} title={title} view={view} />
      </div>
      <CardPlace instance={instance} now={view.now} />
      <ul class="card-lines">
        <Lines instance={instance} now={view.now} />
      </ul>
      <CardMore instance={instance} title={title} />
    </li>
  );
}

/** What is done most: opening it, or asking it back; and saying that what ended has been seen. */
function CardActions({ instance, title, view }: { instance: Instance; title: string; view: View }) {
  const { label, keptAway, connected } = instance;
  return (
    <>
      {possibleActions(instance).includes("mark_seen") && (
        <CardForm action={routes.markClientSeen(label)} word="Seen" about={title} />
      )}
      {keptAway && !connected ? (
        <CardForm action={routes.letClientBack(label)} word="Let it back" about={title} />
      ) : (
        <a
          class="button card-open"
          href={`${instanceUrl(instance, view.origins)}/`}
          aria-label={`Open ${title}`}
        >
          Open
        </a>
      )}
    </>
  );
}

/** dialogs.js sends it, and has the card say so at once. */
function CardForm({ action, word, about }: { action: string; word: string; about: string }) {
  return (
    <form method="post" action={action}>
      <button class="button" type="submit" aria-label={`${word}: ${about}`}>
        {word}
      </button>
    </form>
  );
}

function CardPlace({ instance, now }: { instance: Instance; now: number }) {
  const { hostname, project, status, connected } = instance;
  return (
    <p class="card-place">
      <span class="card-where" title={`${hostname} ${project}`}>
        <bdi class="card-host">{hostname}</bdi>
        <span class="card-path" aria-hidden="true">
          <bdi dir="ltr">{shortPath(project)}</bdi>
        </span>
        <span class="visually-hidden">{project}</span>
      </span>
      {connected && (
        <span class="card-status" title={STATUS_MEANINGS[status]}>
          {status}
        </span>
      )}
      <CardProof instance={instance} now={now} />
    </p>
  );
}

/**
 * When a connected instance was last heard of. board.js keeps the promise made with it: past the longest age a proof may
 * have, the card is drawn as unproven.
 */
export function CardProof({ instance, now }: { instance: Instance; now: number }) {
  const { label, connected, heardAt } = instance;
  if (!connected) return <span class="card-proof" id={proofId(label)} hidden></span>;
  return (
    <span class="card-proof" id={proofId(label)} data-heard={heardAt}>
      <span class="proof-fresh">alive</span>
      <span class="proof-old">no sign of life for</span> <Since at={heardAt} now={now} ago />
    </span>
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
  /** Where it works, where that is to be said. */
  project?: string;
  since: number;
  now: number;
}

export function Line({ state, text, more = 0, project, since, now }: LineProps) {
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
      {project !== undefined && (
        <bdi class="line-project" title={project}>
          {shortPath(project)}
        </bdi>
      )}
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
export function goneWords({ goneReason, keptAway }: Pick<Instance, "goneReason" | "keptAway">): string {
  if (keptAway) return "sent away by its owner";
  switch (goneReason) {
    case "stopped":
      return "its connector was stopped";
    case "disconnected":
      return "sent away by its owner";
    case "token_revoked":
      return "its token was revoked";
    case "unauthorized":
      return "its token has expired";
    case "replaced":
      return "connected again elsewhere";
    case "heartbeat_timeout":
      return "no sign of life: asleep, cut off or frozen";
    case null:
    case "connection_lost":
      return "its process or its network broke off";
    default:
      return `connection closed: ${goneReason.replaceAll("_", " ")}`;
  }
}
