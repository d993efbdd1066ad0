import { DurableObject } from "cloudflare:workers";
import { Alarm } from "../alarm.ts";
import { checkOpenSession, SessionWatch, type OpenSession } from "../auth/open-sessions.ts";
import type { EntityKind, Memberships } from "../auth/policy.ts";
import type {
  ActionResult,
  ActivityPage,
  ActivityQuery,
  Admission,
  GitHubGrant,
  GitHubLookup,
  GoneReason,
  Inspection,
  InstanceAction,
  InstanceConnected,
  MembershipLoss,
  SignedOut,
  StatusReport,
  UserHubRpc,
} from "../contracts.ts";
import { deleteAllSessions } from "../db/sessions.ts";
import type { Env } from "../env.ts";
import type { Instance } from "../instance.ts";
import { readPageOpener } from "../page-socket.ts";
import { ActivityLog } from "./activity-log.ts";
import { LivePages, pageSession } from "./live-pages.ts";
import { Membership } from "./membership.ts";
import { parseConnected, parseReport } from "./parse.ts";
import { Presence } from "./presence.ts";
import { Registry } from "./registry.ts";
import { SignIns } from "./sign-ins.ts";
import { tellTunnels } from "./tell-tunnels.ts";

/** What a page sends when someone looks at it again. */
const LOOK = "look";

/** Told to the instances of a person who may not use the hub. At most 123 bytes. */
const NOT_ADMITTED = "The owner of this instance may not use this hub now.";

/**
 * One person's hub: remembers their instances and shows every change on their open dashboards. It remembers, it does
 * not decide: whether an instance is connected is asked of its Tunnel whenever somebody looks.
 */
export class UserHub extends DurableObject<Env> implements UserHubRpc {
  readonly #registry: Registry;
  readonly #activity: ActivityLog;
  readonly #pages: LivePages;
  readonly #presence: Presence;
  readonly #signIns: SignIns;
  readonly #watch = new SessionWatch((open, now) => this.#check(open, now));
  readonly #alarm: Alarm;
  readonly #membership: Membership;
  #isAlarmed = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#registry = new Registry(ctx.storage);
    this.#activity = new ActivityLog(ctx.storage);
    this.#pages = new LivePages(ctx, this.#registry, env);
    this.#presence = new Presence({
      ctx,
      env: () => this.env,
      owner: () => this.#owner,
      registry: this.#registry,
      changed: (clientId) => this.#changed(clientId),
      gone: (...end) => this.instanceGone(...end),
    });
    this.#signIns = new SignIns(ctx.storage);
    this.#alarm = new Alarm(ctx.storage);
    const [owner, closeAll] = [() => this.#owner, () => this.#closeAll()];
    this.#membership = new Membership({ storage: ctx.storage, env, owner, closeAll });
  }

  async instanceConnected(from: InstanceConnected): Promise<void> {
    const instance = parseConnected(from);
    // The token may have been revoked between its check and this call; whatever else is wrong, it must not stay.
    if (this.#registry.isTokenRevoked(instance.tokenId))
      return this.#disconnectToken(instance.label, instance.tokenId);
    // So may its owner have been let go.
    if (this.#membership.isRefused) return this.#turnAway([instance.label]);
    const known = this.#registry.connected(instance);
    if (known === "stale") return;
    if (known === "full") {
      const why = "You have as many connected instances as a hub takes.";
      await this.env.TUNNEL.getByName(instance.label).disconnect(this.#owner, "rate_limited", why);
      return;
    }
    this.#pages.changed(instance.label, known === "known");
    const now = this.#registry.find(instance.clientId);
    if (now) this.#activity.record(now, { kind: "connected", isNew: known === "new" }, instance.connectedAt);
    // The token may have been rotated since its check, too.
    const expiresAt = this.#registry.tokenExpiry(instance.tokenId);
    if (expiresAt !== undefined) await this.#expireToken(instance.label, instance.tokenId, expiresAt);
  }

  async instanceStatus(clientId: string, report: StatusReport): Promise<void> {
    if (this.#registry.reported(clientId, parseReport(report))) this.#changed(clientId);
    // One that was thought gone when everything was closed is heard of again.
    const instance = this.#registry.find(clientId);
    if (instance === undefined) return;
    if (this.#membership.isRefused) await this.#turnAway([instance.label]);
    // Or its Tunnel could not be told.
    else if (this.#registry.isTokenRevoked(instance.tokenId))
      await this.#disconnectToken(instance.label, instance.tokenId);
  }

  async instanceGone(clientId: string, connectedAt: number, reason: GoneReason, at: number): Promise<void> {
    if (this.#registry.gone(clientId, { connectedAt, reason, at })) this.#changed(clientId);
  }

  /** Looks after the Tunnels; what that corrects is pushed. */
  list(sessionId: string): Instance[] | SignedOut {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    this.#presence.look();
    return this.#registry.list();
  }

  find(sessionId: string, idOrLabel: string): Instance | null | SignedOut {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    return this.#registry.find(idOrLabel) ?? null;
  }

  opened(sessionId: string, label: string, _actor: string): void {
    this.#signIns.opened(sessionId, label, Date.now());
  }

  async act(idOrLabel: string, { action }: InstanceAction, _actor: string): Promise<ActionResult> {
    const instance = this.#registry.find(idOrLabel);
    if (instance === undefined) return { refused: "unknown" };
    if (action !== "forget") return { done: instance };
    if (instance.connected || !this.#registry.forget(instance.clientId)) return { refused: "connected" };
    this.#pages.changed(instance.label);
    return { done: null };
  }

  async activity(sessionId: string, _query: ActivityQuery): Promise<ActivityPage | SignedOut> {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    return { entries: this.#activity.list(Number.MAX_SAFE_INTEGER, 50), next: null };
  }

  async inspect(sessionId: string, idOrLabel: string): Promise<Inspection | null | SignedOut> {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    const instance = this.#registry.find(idOrLabel);
    return instance === undefined ? null : this.env.TUNNEL.getByName(instance.label).inspect(this.#owner);
  }

  async sessionsEnded(sessionIds: string[]): Promise<void> {
    for (const id of sessionIds) this.#pages.closeSession(id);
    const opened = this.#signIns.end(sessionIds, Date.now());
    await tellTunnels(this.ctx, opened.keys(), (label) =>
      this.env.TUNNEL.getByName(label).endSessions(this.#owner, opened.get(label) ?? []),
    );
    await this.#schedule();
  }

  /** A sign-in with an open dashboard must be asked after. */
  override async alarm(): Promise<void> {
    this.#alarm.wentOff();
    this.#isAlarmed = true;
    try {
      const { ended, unchecked, checkAt } = await this.#watch.recheck(this.#pages.open(), Date.now());
      for (const [id, at] of checkAt) this.#pages.checked(id, at);
      for (const id of unchecked) this.#pages.closeSession(id);
      if (ended.length > 0) await this.sessionsEnded(ended);
    } finally {
      this.#isAlarmed = false;
      await this.#schedule();
    }
  }

  signedIn(grant: GitHubGrant, memberships: Memberships): Promise<Admission> {
    return this.#membership.signedIn(grant, memberships);
  }

  admission(): Promise<Admission> {
    return this.#membership.admission();
  }

  membershipLost(loss: MembershipLoss): Promise<Admission> {
    return this.#membership.lost(loss);
  }

  membershipDoubted(): Promise<Admission> {
    return this.#membership.doubted();
  }

  lookUp(kind: EntityKind, name: string): Promise<GitHubLookup> {
    return this.#membership.lookUp(kind, name);
  }

  /** Closes whatever is connected with a token that was just revoked, now and should it still be registering. */
  async tokenRevoked(tokenId: string): Promise<void> {
    this.#registry.markTokenRevoked(tokenId, Date.now());
    const labels = this.#registry.withToken(tokenId).map((instance) => instance.label);
    await tellTunnels(this.ctx, labels, (label) => this.#disconnectToken(label, tokenId));
  }

  /** From `at` on a token that was just rotated is worth nothing: whatever is connected with it then is closed. */
  async tokenExpires(tokenId: string, at: number): Promise<void> {
    this.#registry.markTokenExpires(tokenId, at, Date.now());
    const labels = this.#registry.withToken(tokenId).map((instance) => instance.label);
    await tellTunnels(this.ctx, labels, (label) => this.#expireToken(label, tokenId, at));
  }

  /** A dashboard's WebSocket; the Worker has checked who opens it. */
  override async fetch(request: Request): Promise<Response> {
    const opener = readPageOpener(request.headers);
    if (opener === undefined || request.headers.get("upgrade") !== "websocket")
      return new Response(null, { status: 400 });
    if (this.#signIns.isEnded(opener.id)) return new Response(null, { status: 401 });
    const response = this.#pages.accept(opener);
    this.#presence.look();
    await this.#schedule();
    return response;
  }

  override async webSocketMessage(page: WebSocket, message: string | ArrayBuffer): Promise<void> {
    if (message !== LOOK) return;
    const [sessionId, now] = [pageSession(page), Date.now()];
    if ((await this.#check({ sessionId, usedAt: now }, now)) === null) await this.sessionsEnded([sessionId]);
    else this.#presence.look();
  }

  override async webSocketClose(): Promise<void> {
    await this.#schedule();
  }

  override async webSocketError(): Promise<void> {
    await this.#schedule();
  }

  get #owner(): string {
    const { name } = this.ctx.id;
    if (name === undefined) throw new Error("A UserHub is named by its user's id.");
    return name;
  }

  /** When to ask after a sign-in of this person again; null where it has ended. */
  #check(used: Omit<OpenSession, "checkAt">, now: number): Promise<number | null> {
    const isAdmitted = async () => (await this.admission()).admitted;
    return checkOpenSession(this.env, { ...used, userId: this.#owner }, isAdmitted, now);
  }

  /** Sets the alarm to when the first sign-in with an open dashboard is due. */
  async #schedule(): Promise<void> {
    if (this.#isAlarmed) return;
    await this.#alarm.set(() => this.#watch.dueAt(this.#pages.open()));
  }

  /** The person may not use the hub: their sign-ins end, and their instances are sent away until they may. */
  async #closeAll(): Promise<void> {
    const connected = this.#registry.list().filter((instance) => instance.connected);
    const sessionIds = new Set(await deleteAllSessions(this.env.DB, this.#owner));
    for (const { sessionId } of this.#pages.open()) sessionIds.add(sessionId);
    await Promise.all([
      this.sessionsEnded([...sessionIds]),
      this.#turnAway(connected.map(({ label }) => label)),
    ]);
  }

  #turnAway(labels: string[]): Promise<void> {
    return tellTunnels(this.ctx, labels, (label) =>
      this.env.TUNNEL.getByName(label).disconnect(this.#owner, "going_away", NOT_ADMITTED),
    );
  }

  #changed(clientId: string): void {
    const instance = this.#registry.find(clientId);
    if (instance !== undefined) this.#pages.changed(instance.label);
  }

  async #disconnectToken(label: string, tokenId: string): Promise<void> {
    await this.env.TUNNEL.getByName(label).disconnectToken(this.#owner, tokenId);
  }

  async #expireToken(label: string, tokenId: string, at: number): Promise<void> {
    await this.env.TUNNEL.getByName(label).tokenExpires(this.#owner, tokenId, at);
  }
}
