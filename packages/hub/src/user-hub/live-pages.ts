/**
 * The open dashboards of one person. A page that connects is sent the whole truth; afterwards each change is sent to
 * every page as the cards it touched. Sockets hibernate; nothing here needs to outlive an eviction.
 */
import type { OpenSession } from "../auth/open-sessions.ts";
import type { Env } from "../env.ts";
import {
  byOrder,
  countStandings,
  standingOf,
  type Grouping,
  type Instance,
  type Standing,
} from "../instance.ts";
import type { PageOpener } from "../page-socket.ts";
import type { PairingNotice } from "../pairing/contract.ts";
import { renderBoard, renderChange, renderPairings, renderProofs } from "../ui/push.tsx";
import type { View } from "../ui/view.ts";

/** The page asks so that it learns of a dead connection; the platform answers without waking the object. */
const PAGE_PING = "ping";
const PAGE_PONG = "pong";

/** The last word to a page whose sign-in ended; it then asks to sign in. */
const SIGNED_OUT = "signed-out";

/** Changes closer together than this go out together; the first of a burst goes at once. Milliseconds. */
const BURST_MS = 20;

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
  #timer: ReturnType<typeof setTimeout> | undefined;
  #pushedAt = 0;

  constructor(ctx: DurableObjectState, { instances, pairings, env }: LivePagesDeps) {
    this.#ctx = ctx;
    this.#env = env;
    this.#instances = instances;
    this.#pairings = pairings;
    ctx.setWebSocketAutoResponse(new WebSocketRequestResponsePair(PAGE_PING, PAGE_PONG));
  }

  /** Accepts a dashboard's WebSocket, opened by this sign-in. */
  accept({ id: sessionId, until, grouping }: Required<PageOpener>): Response {
    // What is waiting to be sent is in the whole truth already; sent after it, a new card would come twice.
    if (this.#timer !== undefined) this.#push();
    const { 0: client, 1: server } = new WebSocketPair();
    this.#ctx.acceptWebSocket(server, [sessionTag(sessionId)]);
    attach(server, { sessionId, checkAt: until, grouping });
    const board = renderBoard(this.#instances.list().toSorted(byOrder), this.#view(), grouping);
    server.send(board + this.#renderPairings());
    return new Response(null, { status: 101, webSocket: client });
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
    if (this.#isUnseen()) return;
    // What comes new may have taken the place of another.
    if (!isKnown) this.#standings.clear();
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
    const waitMs = Math.min(BURST_MS, Math.max(0, this.#pushedAt + BURST_MS - Date.now()));
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
    const html = this.#renderProofs(proven) + this.#renderChange(changed);
    for (const page of this.#ctx.getWebSockets()) send(page, html);
  }

  #renderPairings(): string {
    const now = Date.now();
    return renderPairings(this.#pairings.list(now), now);
  }

  #renderProofs(labels: string[]): string {
    const instances = labels
      .map((label) => this.#instances.findByLabel(label))
      .filter((found) => found !== undefined);
    return renderProofs(instances, this.#view());
  }

  #renderChange(changed: ReadonlyMap<string, boolean>): string {
    if (changed.size === 0) return "";
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
        if (known) removed.push(label);
        this.#standings.delete(label);
      }
    }
    const counts = countStandings(this.#standings.values());
    return renderChange({ isKnown, isNew, removed, counts }, this.#view());
  }
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
