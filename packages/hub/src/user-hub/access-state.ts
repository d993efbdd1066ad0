/** What a UserHub keeps to ask GitHub about its person: the tokens, sealed, and what must outlive an eviction. */
import { seal, unseal } from "../auth/keys.ts";
import { BELIEVED_MS, type KnownLoss, type Loss } from "../auth/membership-loss.ts";
import type { GitHubGrant } from "../contracts.ts";
import type { Env } from "../env.ts";

/** Answers that were on their way when a loss was told of arrive within this time. */
const LOSSES_KEPT_MS = BELIEVED_MS + 10 * 60_000;

interface GrantRow extends Record<string, SqlStorageValue> {
  access_token: string;
  access_expires_at: number;
  refresh_token: string;
  refresh_expires_at: number;
}

interface LossRow extends Record<string, SqlStorageValue> {
  lost: "organization" | "team";
  id: number;
  login: string;
  at: number;
}

/** Tokens, and what tells them from others that were kept. */
export type KeptGrant = GitHubGrant & { sealed: string };

export class AccessState {
  readonly #sql: SqlStorage;
  readonly #secret: Pick<Env, "HUB_SECRET">;

  constructor(storage: DurableObjectStorage, secret: Pick<Env, "HUB_SECRET">) {
    this.#sql = storage.sql;
    this.#secret = secret;
  }

  get hasGrant(): boolean {
    return this.#sql.exec("SELECT 1 FROM github_grant").toArray().length > 0;
  }

  /** Keeps the tokens of a sign-in; `owner` is the user's id, without which nobody can read them. */
  async keepGrant(owner: string, grant: GitHubGrant): Promise<KeptGrant> {
    const row = await this.#sealed(owner, grant);
    this.#sql.exec(
      `INSERT OR REPLACE INTO github_grant
         (only_row, access_token, access_expires_at, refresh_token, refresh_expires_at) VALUES (1, ?, ?, ?, ?)`,
      ...row,
    );
    return { ...grant, sealed: row[2] };
  }

  /** Keeps the tokens that were given for those of `former`, unless another sign-in has brought newer ones. */
  async renewGrant(owner: string, former: KeptGrant, grant: GitHubGrant): Promise<void> {
    this.#sql.exec(
      `UPDATE github_grant
       SET access_token = ?, access_expires_at = ?, refresh_token = ?, refresh_expires_at = ?
       WHERE refresh_token = ?`,
      ...(await this.#sealed(owner, grant)),
      former.sealed,
    );
  }

  /** The tokens; `undefined` where there are none that can be read: they were kept with another `HUB_SECRET`. */
  async grant(owner: string): Promise<KeptGrant | undefined> {
    const [row] = this.#sql.exec<GrantRow>("SELECT * FROM github_grant").toArray();
    if (row === undefined) return undefined;
    const [accessToken, refreshToken] = await Promise.all([
      unseal(this.#secret, "github-token", owner, row.access_token),
      unseal(this.#secret, "github-token", owner, row.refresh_token),
    ]);
    if (accessToken === undefined || refreshToken === undefined) return undefined;
    const { access_expires_at: accessExpiresAt, refresh_expires_at: refreshExpiresAt } = row;
    return { accessToken, accessExpiresAt, refreshToken, refreshExpiresAt, sealed: row.refresh_token };
  }

  /** Forgets the tokens: all of them, or those of `only` unless another sign-in has brought newer ones. */
  dropGrant(only?: KeptGrant): void {
    if (only === undefined) this.#sql.exec("DELETE FROM github_grant");
    else this.#sql.exec("DELETE FROM github_grant WHERE refresh_token = ?", only.sealed);
  }

  lost(loss: Loss, at: number): void {
    this.#sql.exec("DELETE FROM membership_losses WHERE at <= ?", at - LOSSES_KEPT_MS);
    this.#sql.exec(
      "INSERT OR REPLACE INTO membership_losses (lost, id, login, at) VALUES (?, ?, ?, ?)",
      loss.lost,
      loss.id,
      loss.lost === "organization" ? loss.login : "",
      at,
    );
  }

  losses(): KnownLoss[] {
    return this.#sql.exec<LossRow>("SELECT * FROM membership_losses").toArray();
  }

  /** True while the person is known not to be admitted. */
  get isRefused(): boolean {
    return this.#state().refused === 1;
  }

  set isRefused(refused: boolean) {
    if (refused !== this.isRefused) this.#write(refused ? 1 : 0, this.askAfter);
  }

  /** GitHub wants to be left alone until then, milliseconds since the epoch. */
  get askAfter(): number {
    return this.#state().ask_after;
  }

  set askAfter(at: number) {
    if (at !== this.askAfter) this.#write(this.isRefused ? 1 : 0, at);
  }

  async #sealed(owner: string, grant: GitHubGrant): Promise<[string, number, string, number]> {
    const [access, refresh] = await Promise.all([
      seal(this.#secret, "github-token", owner, grant.accessToken),
      seal(this.#secret, "github-token", owner, grant.refreshToken),
    ]);
    return [access, grant.accessExpiresAt, refresh, grant.refreshExpiresAt];
  }

  #state(): { refused: number; ask_after: number } {
    const [row] = this.#sql
      .exec<{ refused: number; ask_after: number }>("SELECT refused, ask_after FROM access_state")
      .toArray();
    return row ?? { refused: 0, ask_after: 0 };
  }

  #write(refused: number, askAfter: number): void {
    this.#sql.exec(
      "INSERT OR REPLACE INTO access_state (only_row, refused, ask_after) VALUES (1, ?, ?)",
      refused,
      askAfter,
    );
  }
}
