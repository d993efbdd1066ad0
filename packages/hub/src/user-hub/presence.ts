/** Whether instances are there is asked of their Tunnels while somebody looks, and of nobody otherwise. */
import type { Instance } from "../instance.ts";
import { log } from "../log.ts";
import type { InstanceNews } from "./instance-news.ts";
import type { Registry } from "./registry.ts";
import type { Tunnels } from "./tunnels.ts";

/** Milliseconds between two looks at the same Tunnels. */
const LOOK_EVERY_MS = 15_000;
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

  constructor(place: Place) {
    this.#place = place;
  }

  /** Asks the Tunnels, because somebody looks; a hub that crashed could not tell of its end. */
  look(): void {
    const now = Date.now();
    // A look later than now was before the clock was set back.
    if (now >= this.#lookedAt && now < this.#lookedAt + LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    for (const instance of this.#place.registry.list()) {
      if (!instance.connected && (instance.goneAt ?? 0) + RECENTLY_GONE_MS < now) continue;
      this.#place.ctx.waitUntil(this.lookAt(instance));
    }
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
