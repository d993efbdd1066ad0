/**
 * The open dashboards of one person. A page that connects is sent the whole truth; afterwards each change is sent to
 * every page as the cards it touched. Sockets hibernate; nothing here needs to outlive an eviction.
 */
import type { OpenSession } from "../auth/open-sessions.ts";
import type { Env } from "../env.ts";
import {
  countStandings,
  inOrder,
  standingOf,
  type Grouping,
  type Instance,
  type Standing,
} from "../instance.ts";
import type { PageOpener } from "../page-socket.ts";
import type { PairingNotice } from "../pairing/contract.ts";
import { renderBoard, renderChange, renderPairings, renderProofs } from "../ui/push.tsx";
import type { View } from "../ui/view.ts";
import { Revisions } from "./revisions.ts";

/** The page asks so that it learns of a dead connection; the platform answers without waking the object. */
const PAGE_PING = "ping";
const PAGE_PONG = "pong";

/** The last word to a page whose sign-in ended; it then asks to sign in. */
const SIGNED_OUT = "signed-out";

/** Changes closer together than this go out together; the first of a burst goes at once. Milliseconds. */
const BURST_MS = 20;
/** What many change at once waits longer, by this for each card of the last push: a page needs that long to draw it. */
const CARD_MS = 1;
const LONGEST_BURST_MS = 300;
/** Cards in one message: what comes in one, a page draws in one go, and does nothing else meanwhile. */
const CARDS_AT_ONCE = 50;

interface Registry {
  list(): Instance[];
  findByLabel(label: string): Instance | undefined;
}

/** Who asks this person by name for a token. */
interface Pairings {
  list(now: number): PairingNotice[];
}

export interface LivePagesDeps {
  instances: Registry;
  pairings: Pairings;
  env: Env;
}

export class LivePages {
  readonly #ctx: DurableObjectState;
  readonly #instances: Registry;
  readonly #pairings: Pairings;
  readonly #env: Env;
  /** Changed since the last push, by label; true where pages have a card of it. */
  readonly #changed = new Map<string, boolean>();
  /** Heard of since the last push, by label, and otherwise as they were. */
  readonly #proven = new Set<string>();
  /** What the counts are made of, by label, so that a change of one needs no look at all; empty until it is needed. */
  readonly #standings = new Map<string, Standing>();
  readonly #revisions = new Revisions();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pushedAt = 0;
  #burstMs = BURST_MS;

  constructor(ctx: DurableObjectState, { instances, pairings, env }: LivePagesDeps) {
    this.#ctx = ctx;
    this.#env = env;
    this.#instances = instances;
    this.#pairings = pairings;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PAGE_PING, PAGE_PONG));
  }

  /** Accepts a dashboard's WebSocket, opened by this sign-in. */
  accept({ id: sessionId, until, grouping, since }: Required<PageOpener>): Response {
    // What is waiting to be sent is in the whole truth already; sent after it, a new card would come twice.
    if (this.#timer !== undefined) this.#push();
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, [sessionTag(sessionId)]);
    attach(server, { sessionId, checkAt: until, grouping });
    // What it shows already is not sent again.
    const changes = this.#revisions.since(since);
    const news =
      changes === undefined
        ? [renderBoard(inOrder(this.#instances.list()), this.#view(), grouping)]
        : this.#renderChange(changes, Date.now());
    news[0] += this.#renderPairings();
    for (const html of news) server.send(html);
    return new Response(null, { status: 101, webSocket: client });
  }

  /** Names what pages are shown now, for one that connects later. */
  get revision(): string {
    return this.#revisions.current;
  }

  closeSession(sessionId: string): void {
    for (const page of this.#ctx.getWebSockets(sessionTag(sessionId))) closePage(page);
  }

  /** The sign-ins of the open pages. Looking counts as use at once, so nothing is kept of it here. */
  open(): OpenSession[] {
    const pages = this.#ctx.getWebSockets().filter((page) => page.readyState === WebSocket.OPEN);
    return pages.map((page) => {
      const { sessionId, checkAt } = attachmentOf(page);
      return { sessionId, checkAt, usedAt: 0 };
    });
  }

  /** Remembers when to ask after a sign-in again. */
  checked(sessionId: string, checkAt: number): void {
    for (const page of this.#ctx.getWebSockets(sessionTag(sessionId)))
      attach(page, { ...attachmentOf(page), checkAt });
  }

  /** Sends a change soon. `isKnown` says whether pages already have a card of this instance. */
  changed(label: string, isKnown = true): void {
    this.#revisions.changed(label, isKnown);
    if (this.#isUnseen()) return;
    if (!this.#changed.has(label)) this.#changed.set(label, isKnown);
    this.#soon();
  }

  /** Sends a proof of life soon, where nothing else of the instance is different. */
  proven(label: string): void {
    if (this.#isUnseen()) return;
    this.#proven.add(label);
    this.#soon();
  }

  /** Somebody asks for a token, or does so no more. */
  pairingsChanged(): void {
    const html = this.#renderPairings();
    for (const page of this.#ctx.getWebSockets()) send(page, html);
  }

  /** True while no page is open; what is known for pages' sake is not kept up to date then. */
  #isUnseen(): boolean {
    if (this.#ctx.getWebSockets().length > 0) return false;
    this.#standings.clear();
    return true;
  }

  #soon(): void {
    // Never longer, though the clock was set back.
    const waitMs = Math.min(this.#burstMs, Math.max(0, this.#pushedAt + this.#burstMs - Date.now()));
    if (this.#timer === undefined) this.#timer = setTimeout(() => this.#push(), waitMs);
  }

  #view(): View {
    return { now: Date.now(), origins: this.#env };
  }

  #push(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#pushedAt = Date.now();
    const changed = new Map(this.#changed);
    const proven = [...this.#proven].filter((label) => !changed.has(label));
    this.#changed.clear();
    this.#proven.clear();
    this.#burstMs = Math.min(LONGEST_BURST_MS, BURST_MS + CARD_MS * changed.size);
    const news = [...this.#renderProofs(proven), ...this.#renderChange(changed)];
    for (const page of this.#ctx.getWebSockets()) for (const html of news) send(page, html);
  }

  #renderPairings(): string {
    const now = Date.now();
    return renderPairings(this.#pairings.list(now), now);
  }

  #renderProofs(labels: string[]): string[] {
    if (labels.length === 0) return [];
    const instances = labels
      .map((label) => this.#instances.findByLabel(label))
      .filter((found) => found !== undefined);
    return [renderProofs(instances, this.#view())];
  }

  /** One message or several. `now`: where pages are to set their clocks by it. */
  #renderChange(changed: ReadonlyMap<string, boolean>, now?: number): string[] {
    if (changed.size === 0 && now === undefined) return [];
    const { isKnown, isNew, removed } = this.#look(changed);
    const counts = countStandings(this.#standings.values());
    const view = this.#view();
    const messages = [renderChange({ ...takeCards(isKnown, isNew), removed, counts, now }, view)];
    while (isKnown.length + isNew.length > 0)
      messages.push(renderChange({ ...takeCards(isKnown, isNew), removed: [] }, view));
    return messages;
  }

  /** What became of these, and what that means for the counts. */
  #look(
    changed: ReadonlyMap<string, boolean>,
  ): Record<"isKnown" | "isNew", Instance[]> & { removed: string[] } {
    const [isKnown, isNew]: [Instance[], Instance[]] = [[], []];
    const removed: string[] = [];
    if (this.#standings.size === 0)
      for (const instance of this.#instances.list())
        this.#standings.set(instance.label, standingOf(instance));
    for (const [label, known] of changed) {
      const instance = this.#instances.findByLabel(label);
      if (instance !== undefined) {
        (known ? isKnown : isNew).push(instance);
        this.#standings.set(label, standingOf(instance));
      } else {
        // Also where it was new: a page that lost its connection may have been shown it before.
        removed.push(label);
        this.#standings.delete(label);
      }
    }
    return { isKnown, isNew, removed };
  }
}

/** Takes the first of these out of their lists, as many as one message brings. */
function takeCards(isKnown: Instance[], isNew: Instance[]): Record<"isKnown" | "isNew", Instance[]> {
  const known = isKnown.splice(0, CARDS_AT_ONCE);
  return { isKnown: known, isNew: isNew.splice(0, CARDS_AT_ONCE - known.length) };
}

/** By which sign-in a page's socket was opened, when to ask after it (milliseconds since the epoch), and how it is grouped. */
type PageAttachment = Pick<OpenSession, "sessionId" | "checkAt"> & { grouping: Grouping };

function attach(page: WebSocket, attachment: PageAttachment): void {
  page.serializeAttachment(attachment);
}

function attachmentOf(page: WebSocket): PageAttachment {
  return page.deserializeAttachment() as PageAttachment;
}

/** By which sign-in a page's socket was opened. */
export function pageSession(page: WebSocket): string {
  return attachmentOf(page).sessionId;
}

/** Tells a page that its sign-in ended: in a word, because browsers report a close two seconds late, and then with a code. */
function closePage(page: WebSocket): void {
  if (page.readyState !== WebSocket.OPEN) return;
  page.send(SIGNED_OUT);
  page.close(4401, "signed out");
}

function sessionTag(sessionId: string): string {
  return `session:${sessionId}`;
}

function send(page: WebSocket, html: string): void {
  if (page.readyState === WebSocket.OPEN) page.send(html);
}
