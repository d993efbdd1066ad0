/** What a UserHub tells the Tunnels of its person's instances, and asks of them. */
import { accessGroup } from "@ai-orchestrator/protocol";
import type { Inspection } from "../contracts.ts";
import type { Env } from "../env.ts";
import type { Instance } from "../instance.ts";
import { log } from "../log.ts";
import { parseInspection } from "./parse.ts";
import { tellTunnels } from "./tell-tunnels.ts";

/** Told to the instances of a person who may not use the hub. At most 123 bytes. */
const NOT_ADMITTED = "The owner of this instance may not use this hub now.";

export class Tunnels {
  readonly #ctx: Pick<DurableObjectState, "waitUntil">;
  readonly #env: () => Pick<Env, "TUNNEL">;
  readonly #owner: () => string;

  /** `owner` is the user's id. */
  constructor(
    ctx: Pick<DurableObjectState, "waitUntil">,
    env: () => Pick<Env, "TUNNEL">,
    owner: () => string,
  ) {
    this.#ctx = ctx;
    this.#env = env;
    this.#owner = owner;
  }

  get owner(): string {
    return this.#owner();
  }

  /** The Tunnel of one instance. */
  of(label: string): ReturnType<Env["TUNNEL"]["getByName"]> {
    return this.#env().TUNNEL.getByName(label);
  }

  /** As `tellTunnels`. */
  tell(labels: Iterable<string>, tell: (label: string) => Promise<void>): Promise<void> {
    return tellTunnels(this.#ctx, labels, tell);
  }

  /** Sends instances of a person who may not use the hub away until they may. */
  turnAway(labels: string[]): Promise<void> {
    return this.tell(labels, (label) => this.of(label).disconnect(this.owner, "going_away", NOT_ADMITTED));
  }

  /** Tells the instances whose list asks for an organisation or a team that the person may be in others now. */
  membershipsChanged(instances: Instance[]): Promise<void> {
    const asking = instances.filter(
      ({ connected, access }) => connected && access !== null && accessGroup(access) !== undefined,
    );
    const labels = asking.map(({ label }) => label);
    return this.tell(labels, (label) => this.of(label).membershipsChanged(this.owner));
  }

  async disconnectToken(label: string, tokenId: string): Promise<void> {
    await this.of(label).disconnectToken(this.owner, tokenId);
  }

  async expireToken(label: string, tokenId: string, at: number): Promise<void> {
    await this.of(label).tokenExpires(this.owner, tokenId, at);
  }

  /** What the connector of an instance says of itself; null where it does not, or what it says cannot be read. */
  async inspect(label: string): Promise<Inspection | null> {
    try {
      const inspection = await this.of(label).inspect(this.owner);
      return inspection === null ? null : parseInspection(inspection);
    } catch (error) {
      log("inspection_failed", { label, error });
      return null;
    }
  }
}
