/** The sign-ins that look through one Tunnel: what they have open, when to ask after them, and which have ended. */
import { checkOpenSession, SessionWatch, type OpenSession } from "../auth/open-sessions.ts";
import type { Env } from "../env.ts";
import {
  attach,
  attachmentOf,
  SocketTag,
  type BridgeAttachment,
  type PresenceAttachment,
  type ViewerAttachment,
} from "./attachments.ts";
import { closeQuietly } from "./close-socket.ts";
import { EndedSessions } from "./ended-sessions.ts";
import { OpenExchanges } from "./open-exchanges.ts";
import type { ViewerSocket } from "./viewer-socket.ts";

type BrowserAttachment = ViewerAttachment | BridgeAttachment | PresenceAttachment;

/** What is asked of the Tunnel they look through. */
interface LookedThrough {
  /** Whose sign-ins they are: nobody else may look. */
  owner(): string | undefined;
  /** A browser's socket with its stream; undefined where its connection is gone. */
  viewer(attachment: ViewerAttachment): ViewerSocket | undefined;
  /** A browser's socket without a stream is about to be closed. */
  bridgeEnds(socket: WebSocket): void;
  /** What is open has changed. */
  changed(): void;
}

export class ViewerSessions {
  readonly exchanges: OpenExchanges;
  readonly #state: DurableObjectState;
  readonly #tunnel: LookedThrough;
  readonly #ended: EndedSessions;
  readonly #watch: SessionWatch;

  constructor(state: DurableObjectState, env: Env, tunnel: LookedThrough) {
    this.#state = state;
    this.#tunnel = tunnel;
    this.exchanges = new OpenExchanges(() => tunnel.changed());
    this.#ended = new EndedSessions(state.storage);
    this.#watch = new SessionWatch((open, now) => this.#check(env, open, now));
  }

  isEnded(sessionId: string): boolean {
    return this.#ended.has(sessionId, Date.now());
  }

  /** Closes what these sign-ins have open and refuses their cookies while these may be fresh. */
  end(sessionIds: readonly string[]): void {
    if (sessionIds.length === 0) return;
    this.#ended.add(sessionIds, Date.now());
    for (const id of sessionIds) this.#close(id);
  }

  /** True where somebody has something of the instance open. */
  hasOpen(): boolean {
    return this.#sockets(SocketTag.viewer).length > 0 || this.exchanges.isAny();
  }

  /** Closes what everybody has open of the instance. The mark stays: it only says whether the instance is there. */
  closeAll(reason: string): void {
    this.exchanges.endAll(reason);
    this.#closeSockets(SocketTag.viewer, reason);
  }

  /** Closes what is open in path mode, the mark too: nothing of the instance is seen there any more. */
  closePath(): void {
    const reason = "path mode is not allowed any more";
    this.exchanges.endPath(reason);
    this.#closeSockets(SocketTag.path, reason);
  }

  /** When to ask after one of them next, milliseconds since the epoch; null where nothing is open. */
  dueAt(): number | null {
    return this.#watch.dueAt(this.#open());
  }

  /** Asks after those that are due, and ends those that have ended. */
  async recheck(): Promise<void> {
    const { ended, unchecked, checkAt } = await this.#watch.recheck(this.#open(), Date.now());
    for (const [id, at] of checkAt) {
      this.exchanges.checked(id, at);
      for (const { socket, attachment } of this.#sockets(SocketTag.session(id))) {
        attach(socket, { ...attachment, checkAt: at });
        this.#viewer(attachment)?.checked(at);
      }
    }
    for (const id of unchecked) this.#close(id);
    this.end(ended);
  }

  #close(sessionId: string): void {
    this.exchanges.end(sessionId);
    this.#closeSockets(SocketTag.session(sessionId), "signed out");
  }

  #closeSockets(tag: string, reason: string): void {
    for (const { socket, attachment } of this.#sockets(tag)) {
      this.#viewer(attachment)?.cut(reason);
      if (attachment.kind === "bridge") this.#tunnel.bridgeEnds(socket);
      // It may have no stream, or none any more.
      if (socket.readyState === WebSocket.OPEN) closeQuietly(socket, 1008, reason);
    }
  }

  async #check(env: Env, open: OpenSession, now: number): Promise<number | null> {
    const userId = this.#tunnel.owner();
    if (userId === undefined) return null;
    const isAdmitted = async () => (await env.USER_HUB.getByName(userId).admission()).admitted;
    return checkOpenSession(env, { ...open, userId }, isAdmitted, now);
  }

  #open(): OpenSession[] {
    const sockets = [...this.#sockets(SocketTag.viewer), ...this.#sockets(SocketTag.presence)];
    return [...sockets.map(({ attachment }) => attachment), ...this.exchanges.long()];
  }

  #viewer(attachment: BrowserAttachment): ViewerSocket | undefined {
    return attachment.kind === "viewer" ? this.#tunnel.viewer(attachment) : undefined;
  }

  #sockets(tag: string): { socket: WebSocket; attachment: BrowserAttachment }[] {
    return this.#state.getWebSockets(tag).flatMap((socket) => {
      const attachment = socket.readyState === WebSocket.OPEN ? attachmentOf(socket) : undefined;
      if (attachment === undefined || attachment.kind === "connector") return [];
      return [{ socket, attachment }];
    });
  }
}
