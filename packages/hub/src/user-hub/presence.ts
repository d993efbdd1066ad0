/** Whether instances are there is asked of their Tunnels while somebody looks, and of nobody otherwise. */
import type { Instance } from "../instance.ts";
import { log } from "../log.ts";
import type { InstanceNews } from "./instance-news.ts";
import type { Registry } from "./registry.ts";
import type { Tunnels } from "./tunnels.ts";

/** Milliseconds between two looks at the same Tunnels. */
const LOOK_EVERY_MS = 15_000;
/** Tunnels that are asked in one look beside those a page names: everybody's, but of who has many the ones not asked for longest. */
export const ASKED_AT_ONCE = 50;
/** Instances gone for longer are not asked after; they register again when they return. */
const RECENTLY_GONE_MS = 60 * 60_000;

interface Place {
  ctx: Pick<DurableObjectState, "waitUntil">;
  registry: Registry;
  tunnels: Tunnels;
  news: InstanceNews;
}

export class Presence {
  readonly #place: Place;
  #lookedAt = 0;
  /** When each was asked, by label; what is older than the last look but one is as good as never. */
  readonly #askedAt = new Map<string, number>();

  constructor(place: Place) {
    this.#place = place;
  }

  /** Asks Tunnels, because somebody looks; a hub that crashed could not tell of its end. `seen`: labels of cards that are in view. */
  look(seen: readonly string[] = []): void {
    const now = Date.now();
    const { registry } = this.#place;
    const inView = seen.flatMap((label) => registry.findByLabel(label) ?? []);
    for (const instance of inView)
      if (this.#isDue(this.#askedAt.get(instance.label) ?? 0, now)) this.#ask(instance, now);
    if (!this.#isDue(this.#lookedAt, now)) return;
    this.#lookedAt = now;
    const others = registry
      .list()
      .filter(
        (one) =>
          (one.connected || (one.goneAt ?? 0) + RECENTLY_GONE_MS >= now) &&
          this.#isDue(this.#askedAt.get(one.label) ?? 0, now),
      );
    const longAgo = ({ label, heardAt }: Instance) => Math.max(heardAt, this.#askedAt.get(label) ?? 0);
    if (others.length > ASKED_AT_ONCE) others.sort((a, b) => longAgo(a) - longAgo(b));
    for (const instance of others.slice(0, ASKED_AT_ONCE)) this.#ask(instance, now);
  }

  /** A time later than now was before the clock was set back. */
  #isDue(at: number, now: number): boolean {
    return now < at || now >= at + LOOK_EVERY_MS;
  }

  #ask(instance: Instance, now: number): void {
    this.#askedAt.set(instance.label, now);
    this.#place.ctx.waitUntil(this.lookAt(instance));
  }

  /** Asks the Tunnel of one instance; what that corrects is pushed. Never rejects. */
  async lookAt(instance: Instance): Promise<void> {
    try {
      await this.#lookAt(instance);
    } catch (error) {
      log("look_failed", { label: instance.label, error });
    }
  }

  async #lookAt(instance: Instance): Promise<void> {
    const { tunnels, news } = this.#place;
    const { clientId, label, connected, connectedAt, heardAt } = instance;
    const tunnel = tunnels.of(label);
    const presence = await tunnel.presence(tunnels.owner);
    if (!presence.connected) {
      // Where its Tunnel knows why it is gone, that was told before this answer, and this changes nothing.
      if (connected) news.gone(clientId, connectedAt, "connection_lost", presence.provenAt ?? heardAt);
      return;
    }
    const provenAt = presence.provenAt ?? connectedAt;
    if (!connected && news.returned(clientId, provenAt)) await tunnel.refreshStatus(tunnels.owner);
    else news.proven(instance, provenAt);
  }
}
