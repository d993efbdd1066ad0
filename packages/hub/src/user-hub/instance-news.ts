/** What Tunnels tell of their instances: remembered, noted in the activity, shown; and who must not stay is sent away. */
import type { ClaudeSession } from "@ai-orchestrator/protocol";
import { changedSessions, type Happening } from "../activity.ts";
import type { GoneReason, InstanceConnected, StatusReport } from "../contracts.ts";
import type { Instance } from "../instance.ts";
import { log } from "../log.ts";
import type { ActivityLog } from "./activity-log.ts";
import type { Census } from "./census.ts";
import type { LivePages } from "./live-pages.ts";
import type { Membership } from "./membership.ts";
import { parseConnected, parseReport } from "./parse.ts";
import { MAX_INSTANCES, type Registry } from "./registry.ts";
import type { Tunnels } from "./tunnels.ts";

/** A repeated report is a proof of life; one this much newer than the last, in milliseconds, is shown. */
const REPORT_WORTH_TELLING_MS = 1000;
/** At most 123 bytes. */
const FULL = `Its owner has ${MAX_INSTANCES} instances at this hub, which takes no more.`;

interface Place {
  registry: Registry;
  activity: ActivityLog;
  pages: LivePages;
  tunnels: Tunnels;
  membership: Membership;
  census: Census;
}

export class InstanceNews {
  readonly #place: Place;

  constructor(place: Place) {
    this.#place = place;
  }

  async connected(from: InstanceConnected): Promise<void> {
    const { registry, pages, tunnels, membership } = this.#place;
    const instance = parseConnected(from);
    const { clientId, label, tokenId } = instance;
    // The token may have been revoked between its check and this call; whatever else is wrong, it must not stay.
    if (registry.isTokenRevoked(tokenId)) return tunnels.disconnectToken(label, tokenId);
    // So may its owner have been let go.
    if (membership.isRefused) return tunnels.turnAway([label]);
    const before = registry.findByClientId(clientId);
    const { outcome, forgot } = registry.connected(instance);
    if (outcome === "stale") return;
    if (outcome === "full") return tunnels.of(label).disconnect(tunnels.owner, "too_many_instances", FULL);
    if (forgot !== undefined) pages.changed(forgot);
    pages.changed(label, outcome === "known");
    this.#noteConnected(instance, before);
    // The token may have been rotated since its check, too.
    const expiresAt = registry.tokenExpiry(tokenId);
    if (expiresAt !== undefined) await tunnels.expireToken(label, tokenId, expiresAt);
  }

  async status(clientId: string, report: StatusReport): Promise<void> {
    const { registry, pages, tunnels, membership } = this.#place;
    const parsed = parseReport(report);
    const before = registry.findByClientId(clientId);
    if (before === undefined) return;
    if (registry.reported(clientId, parsed)) {
      pages.changed(before.label);
      this.#noteReport(before, parsed);
    } else if (registry.heard(clientId, parsed.at, REPORT_WORTH_TELLING_MS)) {
      pages.proven(before.label);
    }
    // One that was thought gone when everything was closed is heard of again.
    if (membership.isRefused) await tunnels.turnAway([before.label]);
    // Or its Tunnel could not be told.
    else if (registry.isTokenRevoked(before.tokenId))
      await tunnels.disconnectToken(before.label, before.tokenId);
  }

  gone(clientId: string, connectedAt: number, reason: GoneReason, at: number): void {
    const { registry, pages } = this.#place;
    if (!registry.gone(clientId, { connectedAt, reason, at })) return;
    const instance = registry.findByClientId(clientId);
    if (instance === undefined) return;
    pages.changed(instance.label);
    this.#noteConnection(instance, { kind: "gone", reason }, at);
  }

  /** An instance that was thought gone was heard of at `at`; true where nobody knew. */
  returned(clientId: string, at: number): boolean {
    const { registry, pages } = this.#place;
    if (!registry.returned(clientId, at)) return false;
    const instance = registry.findByClientId(clientId);
    if (instance === undefined) return false;
    pages.changed(instance.label);
    this.#noteConnection(instance, { kind: "connected", isNew: false }, at);
    return true;
  }

  /** An instance proved at `at` that it lives, and nothing else. */
  proven({ clientId, label }: Instance, at: number): void {
    if (this.#place.registry.heard(clientId, at)) this.#place.pages.proven(label);
  }

  #noteConnected(
    { clientId, connectedAt, absence, status }: InstanceConnected,
    before: Instance | undefined,
  ): void {
    const { registry, activity } = this.#place;
    const instance = registry.findByClientId(clientId);
    if (instance === undefined) return;
    const why = absence === undefined ? {} : { absence };
    this.#noteConnection(instance, { kind: "connected", isNew: before === undefined, ...why }, connectedAt);
    if (before === undefined) return;
    // What its sessions came to while it was away, or before the Tunnel could tell.
    const sessions = changedSessions(before.sessions, instance.sessions);
    if (sessions.length === 0) return;
    activity.record(instance, { kind: "status", status, before: before.status, sessions }, connectedAt);
  }

  #noteConnection(
    instance: Instance,
    happening: Extract<Happening, { kind: "connected" | "gone" }>,
    at: number,
  ): void {
    const { activity, census, tunnels } = this.#place;
    activity.record(instance, happening, at);
    census.changed();
    const ids = { userId: tunnels.owner, label: instance.label };
    if (happening.kind === "connected") log("instance_connected", ids);
    else log("instance_gone", { ...ids, reason: happening.reason });
  }

  #noteReport(before: Instance, { status, sessions: now, at }: StatusReport): void {
    const { activity } = this.#place;
    if (!before.connected) this.#noteConnection(before, { kind: "connected", isNew: false }, at);
    const sessions: ClaudeSession[] = changedSessions(before.sessions, now);
    if (status === before.status && sessions.length === 0) return;
    activity.record(before, { kind: "status", status, before: before.status, sessions }, at);
  }
}
