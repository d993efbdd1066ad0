import { DurableObject } from "cloudflare:workers";
import type { AccessGroup } from "@ai-orchestrator/protocol";
import { Alarm } from "../alarm.ts";
import { checkOpenSession, SessionWatch, type OpenSession } from "../auth/open-sessions.ts";
import type { Belonging } from "../auth/instance-access.ts";
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
import { errorName, log } from "../log.ts";
import { readPageOpener } from "../page-socket.ts";
import type { PairingNotice } from "../pairing/contract.ts";
import type { Allowance } from "../usage/allowance.ts";
import { Actions } from "./actions.ts";
import { ActivityLog } from "./activity-log.ts";
import { Census } from "./census.ts";
import { KnownAllowance } from "./known-allowance.ts";
import { InstanceNews } from "./instance-news.ts";
import { LivePages, pageSession } from "./live-pages.ts";
import { Membership } from "./membership.ts";
import { PairingNotices } from "./pairing-notices.ts";
import { parseAction, parseActivityQuery, parseGroup, parseLook } from "./parse.ts";
import { Presence } from "./presence.ts";
import { Registry } from "./registry.ts";
import { SignIns } from "./sign-ins.ts";
import { Tunnels } from "./tunnels.ts";

/**
 * One person's hub: remembers their instances and shows every change on their open dashboards. It remembers, it does
 * not decide: whether an instance is connected is asked of its Tunnel whenever somebody looks.
 */
export class UserHub extends DurableObject<Env> implements UserHubRpc {
  readonly #registry: Registry;
  readonly #activity: ActivityLog;
  readonly #pages: LivePages;
  readonly #pairings: PairingNotices;
  readonly #tunnels: Tunnels;
  readonly #news: InstanceNews;
  readonly #presence: Presence;
  readonly #actions: Actions;
  readonly #signIns: SignIns;
  readonly #watch = new SessionWatch((open, now) => this.#check(open, now));
  readonly #alarm: Alarm;
  readonly #membership: Membership;
  readonly #census: Census;
  readonly #allowance: KnownAllowance;
  #isAlarmed = false;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    const [owner, closeAll] = [() => this.#owner, () => this.#closeAll()];
    const registry = new Registry(ctx.storage);
    const activity = new ActivityLog({ ctx, env: () => this.env, owner });
    const pairings = new PairingNotices(ctx.storage);
    const pages = new LivePages(ctx, { instances: registry, pairings, env });
    const tunnels = new Tunnels(ctx, () => this.env, owner);
    const changed = () => ctx.waitUntil(tunnels.membershipsChanged(registry.list()));
    const membership = new Membership({ storage: ctx.storage, env, owner, closeAll, changed });
    const count = () => ({ instances: registry.countConnected(), browsers: pages.open().length });
    const census = new Census({ ctx, env, owner, count });
    const news = new InstanceNews({ registry, activity, pages, tunnels, membership, census });
    const presence = new Presence({ ctx, registry, tunnels, news });
    this.#registry = registry;
    this.#activity = activity;
    this.#pages = pages;
    this.#pairings = pairings;
    this.#tunnels = tunnels;
    this.#membership = membership;
    this.#census = census;
    this.#news = news;
    this.#presence = presence;
    this.#actions = new Actions({ ctx, registry, activity, pages, tunnels, presence, news });
    this.#signIns = new SignIns(ctx.storage);
    this.#alarm = new Alarm(ctx.storage);
    this.#allowance = new KnownAllowance(ctx, env);
  }

  instanceConnected(instance: InstanceConnected): Promise<void> {
    return this.#news.connected(instance);
  }

  async instanceStatus(clientId: string, report: StatusReport): Promise<Allowance | undefined> {
    await this.#news.status(clientId, report);
    return this.#allowance.current(Date.now());
  }

  async instanceGone(clientId: string, connectedAt: number, reason: GoneReason, at: number): Promise<void> {
    this.#news.gone(clientId, connectedAt, reason, at);
  }

  /** Looks after the Tunnels; what that corrects is pushed. */
  list(sessionId: string): Instance[] | SignedOut {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    this.#presence.look();
    return this.#registry.list();
  }

  async board(sessionId: string): Promise<{ instances: Instance[]; revision: string } | SignedOut> {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    this.#presence.look();
    return { instances: this.#registry.list(), revision: this.#pages.revision };
  }

  find(sessionId: string, idOrLabel: string): Instance | null | SignedOut {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    return this.#registry.find(idOrLabel) ?? null;
  }

  opened(sessionId: string, label: string, actor: string): void {
    const now = Date.now();
    const isFirst = this.#signIns.opened(sessionId, label, now);
    const instance = isFirst ? this.#registry.findByLabel(label) : undefined;
    if (instance !== undefined)
      this.#activity.record(instance, { kind: "action", action: "open", actor }, now);
  }

  async act(idOrLabel: string, action: InstanceAction, actor: string): Promise<ActionResult> {
    return this.#actions.act(idOrLabel, parseAction(action), actor);
  }

  async activity(sessionId: string, query: ActivityQuery): Promise<ActivityPage | SignedOut> {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    return this.#activity.page(parseActivityQuery(query));
  }

  async inspect(sessionId: string, idOrLabel: string): Promise<Inspection | null | SignedOut> {
    if (this.#signIns.isEnded(sessionId)) return "signed_out";
    const instance = this.#registry.find(idOrLabel);
    return instance === undefined ? null : this.#tunnels.inspect(instance.label);
  }

  /** Who asks this person by name for a token. */
  pairings(sessionId: string): PairingNotice[] | SignedOut {
    return this.#signIns.isEnded(sessionId) ? "signed_out" : this.#pairings.list(Date.now());
  }

  async pairingAsks(notice: PairingNotice): Promise<void> {
    if (this.#pairings.add(notice, Date.now())) this.#pages.pairingsChanged();
  }

  async pairingOver(code: string): Promise<void> {
    if (this.#pairings.remove(code, Date.now())) this.#pages.pairingsChanged();
  }

  async sessionsEnded(sessionIds: string[]): Promise<void> {
    for (const id of sessionIds) this.#pages.closeSession(id);
    const opened = this.#signIns.end(sessionIds, Date.now());
    // In path mode every sign-in of this person may have gone there, without a code that this object has seen.
    const trusted = this.#registry.list().filter(({ pathTrusted }) => pathTrusted);
    for (const { label } of trusted) opened.set(label, sessionIds);
    await this.#tunnels.tell(opened.keys(), (label) =>
      this.#tunnels.of(label).endSessions(this.#owner, opened.get(label) ?? []),
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

  belonging(group: AccessGroup): Promise<Belonging> {
    return this.#membership.belonging(parseGroup(group));
  }

  lookUp(kind: EntityKind, name: string): Promise<GitHubLookup> {
    return this.#membership.lookUp(kind, name);
  }

  /** Closes whatever is connected with a token that was just revoked, now and should it still be registering. */
  async tokenRevoked(tokenId: string): Promise<void> {
    this.#registry.markTokenRevoked(tokenId, Date.now());
    const labels = this.#registry.withToken(tokenId).map((instance) => instance.label);
    await this.#tunnels.tell(labels, (label) => this.#tunnels.disconnectToken(label, tokenId));
  }

  /** From `at` on a token that was just rotated is worth nothing: whatever is connected with it then is closed. */
  async tokenExpires(tokenId: string, at: number): Promise<void> {
    this.#registry.markTokenExpires(tokenId, at, Date.now());
    const labels = this.#registry.withToken(tokenId).map((instance) => instance.label);
    await this.#tunnels.tell(labels, (label) => this.#tunnels.expireToken(label, tokenId, at));
  }

  /** A dashboard's WebSocket; the Worker has checked who opens it. */
  override async fetch(request: Request): Promise<Response> {
    const opener = readPageOpener(request.headers);
    if (opener === undefined || request.headers.get("upgrade") !== "websocket")
      return new Response(null, { status: 400 });
    if (this.#signIns.isEnded(opener.id)) return new Response(null, { status: 401 });
    const response = this.#pages.accept(opener);
    this.#tellPages("dashboard_opened");
    this.#presence.look();
    await this.#schedule();
    return response;
  }

  override async webSocketMessage(page: WebSocket, message: string | ArrayBuffer): Promise<void> {
    const seen = parseLook(message);
    if (seen === undefined) return;
    // First: D1 may be away or slow, and what it knows of the sign-in is no matter of the instances'.
    this.#presence.look(seen);
    const [sessionId, now] = [pageSession(page), Date.now()];
    try {
      if ((await this.#check({ sessionId, usedAt: now }, now)) === null)
        await this.sessionsEnded([sessionId]);
    } catch (error) {
      // What is open is asked after again by alarm.
      log("session_unchecked", { error: errorName(error) });
    }
  }

  override async webSocketClose(): Promise<void> {
    this.#tellPages("dashboard_closed");
    await this.#schedule();
  }

  override async webSocketError(): Promise<void> {
    this.#tellPages("dashboard_closed");
    await this.#schedule();
  }

  get #owner(): string {
    const { name } = this.ctx.id;
    if (name === undefined) throw new Error("A UserHub is named by its user's id.");
    return name;
  }

  /** There is a dashboard more or less. */
  #tellPages(event: "dashboard_opened" | "dashboard_closed"): void {
    log(event, { userId: this.#owner, count: this.#pages.open().length });
    this.#census.changed();
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
      this.#tunnels.turnAway(connected.map(({ label }) => label)),
    ]);
  }
}
