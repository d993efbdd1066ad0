/**
 * What its owner does to an instance. Where a Tunnel must do it, the Tunnel is first and the registry follows, one action after
 * the other for each instance, so that the registry says what is so however late the Tunnel is.
 */
import type { ActionResult, InstanceAction } from "../contracts.ts";
import { MAX_NAME_LENGTH, type Instance } from "../instance.ts";
import { visibleText } from "../visible-text.ts";
import type { ActivityLog } from "./activity-log.ts";
import type { InstanceNews } from "./instance-news.ts";
import type { LivePages } from "./live-pages.ts";
import { withPatience } from "./patience.ts";
import type { Presence } from "./presence.ts";
import type { Registry } from "./registry.ts";
import { PATIENCE_MS, tellOne } from "./tell-tunnels.ts";
import type { Tunnels } from "./tunnels.ts";

/** Milliseconds from one refresh of an instance to the next that is worth an entry. */
const REFRESH_NOTED_EVERY_MS = 60_000;
const UNANSWERED: ActionResult = { refused: "unanswered" };
/** Characters that take no place. */
const NOTHING_SEEN = /^[\s\p{Default_Ignorable_Code_Point}]*$/u;

type TunnelAction = Exclude<InstanceAction["action"], "rename" | "mark_seen">;

interface Place {
  ctx: Pick<DurableObjectState, "waitUntil">;
  registry: Registry;
  activity: ActivityLog;
  pages: LivePages;
  tunnels: Tunnels;
  presence: Presence;
  news: InstanceNews;
}

export class Actions {
  readonly #place: Place;
  /** What is being done to an instance, by client id. */
  readonly #turns = new Map<string, Promise<ActionResult>>();

  constructor(place: Place) {
    this.#place = place;
  }

  /** As `UserHubRpc.act`. */
  async act(idOrLabel: string, action: InstanceAction, actor: string): Promise<ActionResult> {
    const instance = this.#place.registry.find(idOrLabel);
    if (instance === undefined) return { refused: "unknown" };
    if (action.action === "rename") return this.#rename(instance, action.name, actor);
    if (action.action === "mark_seen") return this.#markSeen(instance, actor);
    return this.#askTunnel(instance, action.action, actor);
  }

  #rename(instance: Instance, wanted: string, actor: string): ActionResult {
    const shown = visibleText(wanted).trim();
    const name = NOTHING_SEEN.test(shown) ? "" : shown;
    if (name.length > MAX_NAME_LENGTH) return { refused: "bad_name" };
    if (this.#place.registry.rename(instance.clientId, name)) {
      const at = Date.now();
      this.#place.activity.record(instance, { kind: "action", action: "rename", actor, name }, at);
      this.#place.pages.changed(instance.label);
    }
    return this.#done(instance);
  }

  #markSeen(instance: Instance, actor: string): ActionResult {
    const ended = instance.sessions.filter(({ state }) => state === "done" || state === "failed");
    const until = Math.max(0, ...ended.map(({ since }) => since));
    if (this.#place.registry.seen(instance.clientId, until)) this.#changed(instance, "mark_seen", actor);
    return this.#done(instance);
  }

  async #askTunnel(instance: Instance, action: TunnelAction, actor: string): Promise<ActionResult> {
    const { clientId } = instance;
    const before = this.#turns.get(clientId) ?? Promise.resolve();
    const act = () => this.#inTurn(clientId, action, actor);
    const turn = before.then(act, act);
    this.#turns.set(clientId, turn);
    const ended = turn.finally(() => {
      if (this.#turns.get(clientId) === turn) this.#turns.delete(clientId);
    });
    this.#place.ctx.waitUntil(ended);
    return withPatience(turn, PATIENCE_MS, UNANSWERED);
  }

  async #inTurn(clientId: string, action: TunnelAction, actor: string): Promise<ActionResult> {
    const instance = this.#place.registry.findByClientId(clientId);
    if (instance === undefined) return { refused: "unknown" };
    switch (action) {
      case "disconnect":
        return this.#disconnect(instance, actor);
      case "let_back":
        return this.#letBack(instance, actor);
      case "refresh":
        return this.#refresh(instance, actor);
      case "forget":
        return this.#forget(instance, actor);
      case "trust_path":
      case "distrust_path":
        return this.#trustPath(instance, action, actor);
    }
  }

  async #disconnect(instance: Instance, actor: string): Promise<ActionResult> {
    const { registry, news, tunnels } = this.#place;
    const { clientId, label, keptAway } = instance;
    const message = "Its owner has disconnected this instance.";
    if (!(await this.#tell(label, () => tunnels.of(label).keepAway(tunnels.owner, message))))
      return UNANSWERED;
    registry.keptAway(clientId, true);
    if (!keptAway) this.#changed(instance, "disconnect", actor);
    // Its Tunnel may have had nothing to end, or could not tell.
    const { connected, connectedAt } = registry.findByClientId(clientId) ?? instance;
    if (connected) news.gone(clientId, connectedAt, "disconnected", Date.now());
    return this.#done(instance);
  }

  async #letBack(instance: Instance, actor: string): Promise<ActionResult> {
    const { registry, tunnels } = this.#place;
    const { clientId, label } = instance;
    if (!(await this.#tell(label, () => tunnels.of(label).letBack(tunnels.owner)))) return UNANSWERED;
    if (registry.keptAway(clientId, false)) this.#changed(instance, "let_back", actor);
    return this.#done(instance);
  }

  async #refresh(instance: Instance, actor: string): Promise<ActionResult> {
    const { activity, presence, tunnels } = this.#place;
    const { label } = instance;
    // Before it is asked: a connection that has given no sign of life for long ends by that, and there is nobody to ask.
    await presence.lookAt(instance);
    const answer = await tellOne(label, () => tunnels.of(label).refreshStatus(tunnels.owner));
    if (answer === "away") return { refused: "unreachable" };
    if (answer === undefined || answer === "unanswered") return UNANSWERED;
    const now = Date.now();
    if (!activity.hasRefreshed(label, now - REFRESH_NOTED_EVERY_MS))
      activity.record(instance, { kind: "action", action: "refresh", actor }, now);
    return this.#done(instance);
  }

  async #forget(instance: Instance, actor: string): Promise<ActionResult> {
    const { registry, tunnels } = this.#place;
    const { clientId, label } = instance;
    if (instance.connected) return { refused: "connected" };
    // Without its card nobody could let it back, nor take back that its pages are trusted.
    if (!(await this.#tell(label, () => tunnels.of(label).letBack(tunnels.owner)))) return UNANSWERED;
    const distrust = () => tunnels.of(label).trustPath(tunnels.owner, false);
    if (instance.pathTrusted && !(await this.#tell(label, distrust))) return UNANSWERED;
    // It may have come back at once.
    const now = registry.findByClientId(clientId);
    if (now?.connected === true) return { refused: "connected" };
    if (registry.forget(clientId)) this.#changed(instance, "forget", actor);
    return { done: null };
  }

  async #trustPath(
    instance: Instance,
    action: "trust_path" | "distrust_path",
    actor: string,
  ): Promise<ActionResult> {
    const { registry, tunnels } = this.#place;
    const { clientId, label } = instance;
    const isTrusted = action === "trust_path";
    // Whatever Tunnel trusts is known here, too: it is told of every sign-in that ends.
    const isNews = isTrusted && registry.trustPath(clientId, true);
    if (!(await this.#tell(label, () => tunnels.of(label).trustPath(tunnels.owner, isTrusted)))) {
      // It may have heard that, and only not have been able to say so.
      if (isNews) await this.#tell(label, () => tunnels.of(label).trustPath(tunnels.owner, false));
      if (isNews) registry.trustPath(clientId, false);
      return UNANSWERED;
    }
    if (isTrusted ? isNews : registry.trustPath(clientId, false)) this.#changed(instance, action, actor);
    return this.#done(instance);
  }

  /** True where the Tunnel has done it. */
  async #tell(label: string, tell: () => Promise<void>): Promise<boolean> {
    return (await tellOne(label, () => tell().then(() => true))) === true;
  }

  #changed(instance: Instance, action: InstanceAction["action"], actor: string): void {
    const { registry, activity, pages } = this.#place;
    // Its name may be another since.
    const now = registry.findByClientId(instance.clientId) ?? instance;
    activity.record(now, { kind: "action", action, actor }, Date.now());
    pages.changed(instance.label);
  }

  #done({ clientId }: Instance): ActionResult {
    return { done: this.#place.registry.findByClientId(clientId) ?? null };
  }
}
