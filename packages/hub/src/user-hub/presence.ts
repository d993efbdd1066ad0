/** Whether instances are there is asked of their Tunnels while somebody looks, and of nobody otherwise. */
import type { GoneReason } from "../contracts.ts";
import type { Env } from "../env.ts";
import type { Instance } from "../instance.ts";
import { log } from "../log.ts";
import type { Registry } from "./registry.ts";

/** Milliseconds between two looks at the same Tunnels. */
const LOOK_EVERY_MS = 15_000;
/** Instances gone for longer are not asked after; they register again when they return. */
const RECENTLY_GONE_MS = 60 * 60_000;

interface Place {
  ctx: Pick<DurableObjectState, "waitUntil">;
  env: () => Pick<Env, "TUNNEL">;
  owner: () => string;
  registry: Registry;
  /** What people see of this instance is different now. */
  changed: (clientId: string) => void;
  gone: (clientId: string, connectedAt: number, reason: GoneReason, at: number) => Promise<void>;
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
    if (now < this.#lookedAt + LOOK_EVERY_MS) return;
    this.#lookedAt = now;
    for (const instance of this.#place.registry.list()) {
      if (!instance.connected && (instance.goneAt ?? 0) + RECENTLY_GONE_MS < now) continue;
      this.#place.ctx.waitUntil(
        this.#lookAt(instance).catch((error: unknown) => {
          log("look_failed", { label: instance.label, error });
        }),
      );
    }
  }

  async #lookAt({ clientId, label, connected, connectedAt }: Instance): Promise<void> {
    const { env, owner, registry, changed, gone } = this.#place;
    const tunnel = env().TUNNEL.getByName(label);
    const presence = await tunnel.presence(owner());
    const provenAt = presence.provenAt ?? connectedAt;
    const isHere = presence.connected;
    if (connected && !isHere) {
      await gone(clientId, connectedAt, "connection_lost", provenAt);
    } else if (!connected && isHere && registry.returned(clientId, provenAt)) {
      changed(clientId);
      await tunnel.refreshStatus(owner());
    } else if (isHere && registry.heard(clientId, provenAt)) {
      changed(clientId);
    }
  }
}
