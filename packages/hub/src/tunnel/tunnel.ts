/**
 * One instance's socket and its streams, nothing else (docs/architecture.md, "Tunnel"). Named by the instance's label.
 * Nothing that matters lives only in memory: sockets carry attachments, the owner stands in storage.
 */
import { DurableObject } from "cloudflare:workers";
import { HEARTBEAT_PING, HEARTBEAT_PONG, type ConnectionErrorCode } from "@ai-orchestrator/protocol";
import type { Inspection, Presence, RefreshAnswer, SignedOut, TunnelRpc } from "../contracts.ts";
import type { Env } from "../env.ts";
import { errorResponse } from "../errors.ts";
import { Alarm } from "../alarm.ts";
import { pathOf } from "../request-path.ts";
import { instanceRoutes, routes } from "../routes.ts";
import { Access } from "./access.ts";
import { closeQuietly } from "./close-socket.ts";
import { attachmentOf, type ConnectorIdentity } from "./attachments.ts";
import { copyAnswer } from "./copy-rules.ts";
import type { VerifiedViewer } from "./headers.ts";
import type { InstanceConnection } from "./instance-connection.ts";
import { InstanceLink } from "./instance-link.ts";
import { readConnectorIdentity, readViewer, signedOutAnswer } from "./internal-headers.ts";
import { markKeptAway, unmarkKeptAway } from "./kept-away.ts";
import { notTrustedAnswer, PathTrust } from "./path-mode/trust.ts";
import { MARK_LOOK, PresenceSockets } from "./presence-sockets.ts";
import { proxy } from "./proxy.ts";
import { refuseNewStream } from "./quota.ts";
import { keepHeartbeat } from "./version-1/heartbeat.ts";
import { proxyVersionOne } from "./version-1/proxy-version-one.ts";
import { ViewerSessions } from "./viewer-sessions.ts";

export class Tunnel extends DurableObject<Env> implements TunnelRpc {
  readonly #link: InstanceLink;
  readonly #sessions: ViewerSessions;
  readonly #access: Access;
  readonly #marks: PresenceSockets;
  readonly #trust: PathTrust;
  readonly #alarm: Alarm;
  #isAlarmed = false;

  constructor(state: DurableObjectState, env: Env) {
    super(state, env);
    this.#alarm = new Alarm(state.storage);
    this.#marks = new PresenceSockets(state);
    this.#trust = new PathTrust(state.storage);
    this.#link = new InstanceLink(state, env, {
      exchanges: () => this.#sessions.exchanges,
      changed: () => this.#schedule(),
      connectedWith: (tokenId) => this.#trust.connectedWith(tokenId),
      presenceChanged: () => this.#marks.say(this.#link.sockets.registered() ? "connected" : "away"),
    });
    this.#sessions = new ViewerSessions(state, env, {
      owner: () => this.#link.sockets.owner(),
      viewer: (attachment) => this.#link.viewer(attachment),
      bridgeEnds: (socket) => this.#link.bridges.browserLeft(socket),
      changed: () => state.waitUntil(this.#schedule()),
    });
    this.#access = new Access(env, {
      list: () => this.#link.sockets.access.current(),
      owner: () => this.#link.sockets.owner(),
      hasOpen: () => this.#sessions.hasOpen(),
      closeAll: (reason) => this.#sessions.closeAll(reason),
    });
    keepHeartbeat(state);
  }

  /** From the Worker only: a connector's upgrade, or a viewer's request that the ingress let through. */
  override async fetch(request: Request): Promise<Response> {
    const identity = readConnectorIdentity(request);
    if (identity) return this.#accept(identity);
    const viewer = readViewer(request);
    if (!viewer || !this.#isOwner(viewer.userId)) return errorResponse("not_found", request);
    const refused = this.#refusal(viewer);
    if (refused) return refused;
    if (pathOf(request) === instanceRoutes.presence) return this.#acceptMark(request, viewer);
    return refuseNewStream(request, this.env) ?? this.#open(request, viewer);
  }

  /** Something new at the instance, for somebody who may be let in. */
  async #open(request: Request, viewer: VerifiedViewer): Promise<Response> {
    const active = this.#link.proven();
    if (!active) return this.#offline(request, viewer.prefix);
    // By the list that came with this connection: where another takes its place meanwhile, this one opens nothing.
    const admitted = this.#access.isOpen ? { viewer } : await this.#access.admit(viewer);
    if ("refused" in admitted) return this.#notOnList(request, admitted.refused);
    // What was closed while that was asked had nothing open yet.
    const response = this.#refusal(viewer) ?? (await this.#proxy(active, request, admitted.viewer));
    if (response.webSocket) await this.#schedule();
    // What was cut for one of these reasons says it.
    return this.#refusal(viewer) ?? response;
  }

  /** Something is due: a token expires, or a sign-in that has something open must be asked after. */
  override async alarm(): Promise<void> {
    this.#alarm.wentOff();
    this.#isAlarmed = true;
    try {
      await this.#link.endExpired();
      await this.#sessions.recheck();
      await this.#access.recheck();
    } finally {
      this.#isAlarmed = false;
      await this.#schedule();
    }
  }

  override async webSocketMessage(socket: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment?.kind === "connector") return this.#link.receive(socket, attachment, message);
    if (attachment?.kind === "bridge") return this.#link.bridges.fromBrowser(socket, attachment, message);
    if (attachment?.kind === "presence") return this.#fromMark(socket, message);
    if (attachment?.kind !== "viewer") return;
    const viewer = this.#link.viewer(attachment);
    if (viewer) viewer.fromBrowser(message);
    else closeQuietly(socket, 1012, "The connection to the instance was lost.");
  }

  override async webSocketClose(socket: WebSocket, code: number, reason: string): Promise<void> {
    const attachment = attachmentOf(socket);
    closeQuietly(socket, code, reason);
    if (attachment?.kind === "connector")
      return this.#link.gone(socket, code === 1000 ? "stopped" : "connection_lost");
    if (attachment?.kind === "viewer") this.#link.viewerClosed(attachment, code, reason);
    if (attachment?.kind === "bridge") this.#link.bridges.browserLeft(socket);
    await this.#schedule();
  }

  override async webSocketError(socket: WebSocket): Promise<void> {
    const attachment = attachmentOf(socket);
    if (attachment?.kind === "connector") return this.#link.gone(socket, "connection_lost");
    if (attachment?.kind === "viewer") this.#link.viewerClosed(attachment, 1006, "");
    if (attachment?.kind === "bridge") this.#link.bridges.browserLeft(socket);
    await this.#schedule();
  }

  async presence(owner: string): Promise<Presence> {
    const active = this.#isOwner(owner) ? this.#link.proven() : undefined;
    if (active) return { connected: true, provenAt: this.#link.provenAt(active) };
    // Who asks does not know why: it is to hear that first.
    await this.#link.toldOfEnd();
    return { connected: false, provenAt: null };
  }

  async disconnect(owner: string, reason: ConnectionErrorCode, message: string): Promise<void> {
    if (!this.#isOwner(owner)) return;
    await this.#link.endAll(this.#link.sockets.live(), reason, message);
  }

  async disconnectToken(owner: string, tokenId: string): Promise<void> {
    if (!this.#isOwner(owner)) return;
    const message = "The token of this instance was revoked.";
    await this.#link.endAll(this.#link.sockets.withToken(tokenId), "token_revoked", message);
  }

  async tokenExpires(owner: string, tokenId: string, at: number): Promise<void> {
    if (!this.#isOwner(owner)) return;
    await this.#link.expireToken(tokenId, at);
    await this.#schedule();
  }

  async endSessions(owner: string, sessionIds: string[]): Promise<void> {
    if (!this.#isOwner(owner)) return;
    this.#sessions.end(sessionIds);
    await this.#schedule();
  }

  async isReady(owner: string, sessionId: string): Promise<boolean | SignedOut> {
    if (!this.#isOwner(owner)) return false;
    if (this.#sessions.isEnded(sessionId)) return "signed_out";
    return this.#link.proven() !== undefined;
  }

  async refreshStatus(owner: string): Promise<RefreshAnswer> {
    return this.#isOwner(owner) ? this.#link.refresh() : "away";
  }

  async membershipsChanged(owner: string): Promise<void> {
    if (!this.#isOwner(owner)) return;
    await this.#access.recheck();
    await this.#schedule();
  }

  async keepAway(owner: string, message: string): Promise<void> {
    if (!this.#isOwner(owner)) return;
    // First, so that no dial comes between.
    markKeptAway(this.ctx.storage);
    await this.disconnect(owner, "disconnected", message);
  }

  async letBack(owner: string): Promise<void> {
    if (this.#isOwner(owner)) unmarkKeptAway(this.ctx.storage);
  }

  async trustPath(owner: string, trusted: boolean): Promise<void> {
    if (!this.#isOwner(owner)) return;
    this.#trust.set(trusted);
    if (!trusted) this.#sessions.closePath();
    await this.#schedule();
  }

  async inspect(owner: string): Promise<Inspection | null> {
    return this.#isOwner(owner) ? this.#link.inspect() : null;
  }

  /** For a sign-in that has ended, or a page in path mode that is not allowed. */
  #refusal({ sessionId, prefix }: VerifiedViewer): Response | undefined {
    if (this.#sessions.isEnded(sessionId)) return signedOutAnswer();
    return prefix !== "" && !this.#trust.isGiven ? notTrustedAnswer() : undefined;
  }

  /** Nobody is before the first connection. */
  #isOwner(userId: string): boolean {
    return userId === this.#link.sockets.owner();
  }

  /** It is there while the instance is away, too: that is what it tells. */
  async #acceptMark(request: Request, viewer: VerifiedViewer): Promise<Response> {
    if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
      return errorResponse("not_found", request);
    const response = this.#marks.accept(viewer, this.#link.proven() ? "connected" : "away");
    await this.#schedule();
    return response;
  }

  #fromMark(socket: WebSocket, message: string | ArrayBuffer): void {
    // The platform answers this by itself, except where the connector's heartbeat is version 1's.
    if (message === HEARTBEAT_PING) socket.send(HEARTBEAT_PONG);
    // Somebody looks at it: who has fallen silent is found out.
    if (message === MARK_LOOK) this.#link.proven();
  }

  #proxy(active: InstanceConnection, request: Request, viewer: VerifiedViewer): Promise<Response> {
    const copy = copyAnswer(active.attachment, viewer.copy);
    if (copy) return Promise.resolve(copy);
    const waysOn = () => this.#waysOn(request);
    if (active.attachment.protocol === 2) return proxy(active, request, viewer, waysOn);
    return proxyVersionOne(active, request, viewer, { waysOn, hubOrigin: this.env.HUB_ORIGIN });
  }

  #offline(request: Request, prefix: string): Response {
    const instance = this.#link.sockets.clientId();
    return errorResponse("instance_offline", request, {
      ready: prefix + instanceRoutes.ready,
      link: this.#dashboardLink(),
      ...(instance === undefined ? {} : { instance }),
    });
  }

  #notOnList(request: Request, message: string): Response {
    const instance = this.#link.sockets.clientId();
    const link = this.#dashboardLink();
    return errorResponse("not_on_list", request, { message, link, ...(instance && { instance }) });
  }

  #dashboardLink() {
    return { href: new URL(routes.dashboard, this.env.HUB_ORIGIN).href, text: "Go to the dashboard" };
  }

  /** From an error page. What was asked for is asked for again by an empty address: pages of errors hold no query. */
  #waysOn({ method }: Request) {
    const dashboard = this.#dashboardLink();
    return method === "GET"
      ? { link: { href: "", text: "Try again" }, otherLink: dashboard }
      : { link: dashboard };
  }

  /** Sets the alarm to what is due first. While it is being handled, what is due is in hand. */
  async #schedule(): Promise<void> {
    if (this.#isAlarmed) return;
    await this.#alarm.set(() => {
      const times = [this.#link.sockets.expireAt(), this.#sessions.dueAt()].filter((at) => at !== null);
      return times.length === 0 ? null : Math.min(...times);
    });
  }

  async #accept(identity: ConnectorIdentity): Promise<Response> {
    const response = this.#link.sockets.accept(identity);
    await this.#schedule();
    return response;
  }
}
