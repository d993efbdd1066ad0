/**
 * Who may look at an instance that has a list of who may, its owner included. Refuses before a stream is opened; the connector
 * refuses by the same list whatever is let through here. Memberships are asked of the person's UserHub and believed for five
 * minutes, in memory only, or until it says that they have changed.
 */
import { accessGroup, type AccessGroup, type AccessList } from "@ai-orchestrator/protocol";
import { gitHubIdOf, judgeAccess, type Belonging } from "../auth/instance-access.ts";
import type { Env } from "../env.ts";
import { refusalMessage } from "../who-may-use.ts";
import type { VerifiedViewer } from "./headers.ts";

const BELIEVED_MS = 5 * 60_000;
/** Told to the pages of who may not look any more. At most 123 bytes. */
const NOT_ON_LIST = "not on the list of who may use this instance";

/** What is asked of the Tunnel it belongs to. */
interface LookedAt {
  /** The list that holds now. */
  list(): AccessList | undefined;
  owner(): string | undefined;
  hasOpen(): boolean;
  /** Closes what everybody has open through this Tunnel. */
  closeAll(reason: string): void;
}

interface Known {
  answer: Promise<Belonging>;
  /** Milliseconds since the epoch. */
  until: number;
}

export class Access {
  readonly #env: Pick<Env, "USER_HUB">;
  readonly #tunnel: LookedAt;
  /** By person and group. */
  readonly #known = new Map<string, Known>();

  constructor(env: Pick<Env, "USER_HUB">, tunnel: LookedAt) {
    this.#env = env;
    this.#tunnel = tunnel;
  }

  /** Whether there is no list, so that nobody has to be asked. */
  get isOpen(): boolean {
    return this.#tunnel.list() === undefined;
  }

  /** The viewer with what the instance is to be told of their memberships, or what to say to who may not look. */
  async admit(viewer: VerifiedViewer): Promise<{ viewer: VerifiedViewer } | { refused: string }> {
    const list = this.#tunnel.list();
    if (list === undefined) return { viewer };
    const access = await judgeAccess(list, viewer, (group) => this.#ask(viewer.userId, group));
    if (!access.allowed) return { refused: refusalMessage(list, viewer, access) };
    const { organizations, teams } = access;
    return { viewer: { ...viewer, organizations, teams } };
  }

  /** Closes what is open where its owner, whose sign-ins they all are, may not look any more. What cannot be asked closes it, too. */
  async recheck(): Promise<void> {
    this.#known.clear();
    const [list, userId] = [this.#tunnel.list(), this.#tunnel.owner()];
    if (list === undefined || userId === undefined || !this.#tunnel.hasOpen()) return;
    const group = accessGroup(list);
    // By a name or an id alone it was let in, and these stay.
    if (group === undefined || gitHubIdOf(userId) === undefined) return;
    const belonging = await this.#ask(userId, group).catch(() => null);
    const login = belonging?.login ?? "";
    const access = await judgeAccess(list, { userId, login }, () => this.#ask(userId, group));
    if (!access.allowed) this.#tunnel.closeAll(NOT_ON_LIST);
  }

  #ask(userId: string, group: AccessGroup): Promise<Belonging> {
    const key = `${userId} ${group.kind} ${group.name}`;
    const before = this.#known.get(key);
    if (before !== undefined && Date.now() < before.until) return before.answer;
    const hub = this.#env.USER_HUB.getByName(userId);
    // Again where that fails, as when a new version has just been deployed.
    const answer = hub.belonging(group).catch(() => hub.belonging(group));
    const known: Known = { answer, until: Date.now() + BELIEVED_MS };
    this.#known.set(key, known);
    answer.then(
      ({ until }) => (known.until = Math.min(known.until, until)),
      () => this.#known.delete(key),
    );
    return answer;
  }
}
