/** The way to GitHub by its person's tokens. One at a time uses them, because refresh tokens work once. */
import { withAccess, type Worthless } from "../auth/ask-github.ts";
import { loadGitHubApp } from "../auth/github-app.ts";
import type { GitHubApi, Unauthorized } from "../auth/github-api.ts";
import type { Away } from "../auth/github-http.ts";
import type { GitHubGrant } from "../contracts.ts";
import type { Env } from "../env.ts";
import type { AccessState } from "./access-state.ts";
import { log } from "../log.ts";

export class GitHubAccess {
  readonly #env: Env;
  readonly #state: AccessState;
  readonly #owner: () => string;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(env: Env, state: AccessState, owner: () => string) {
    this.#env = env;
    this.#state = state;
    this.#owner = owner;
  }

  /** Asks GitHub something; null where this hub has no App or no tokens to ask with. Tokens worth nothing are forgotten. */
  use<T extends object>(
    ask: (api: GitHubApi) => Promise<T | Unauthorized>,
  ): Promise<T | Worthless | Away | null> {
    const use = () => this.#use(ask);
    const turn = this.#turn.then(use, use);
    this.#turn = turn;
    return turn;
  }

  async #use<T extends object>(
    ask: (api: GitHubApi) => Promise<T | Unauthorized>,
  ): Promise<T | Worthless | Away | null> {
    const owner = this.#owner();
    const app = await loadGitHubApp(this.#env);
    const grant = await this.#state.grant(owner);
    // Tokens that were kept with another HUB_SECRET can be read by nobody any more.
    if (grant === undefined) this.#state.dropGrant();
    if (app === null || grant === undefined) return null;
    const keep = (renewed: GitHubGrant) => this.#state.renewGrant(owner, grant, renewed);
    const answer = await withAccess(app, { grant, keep }, Date.now, ask);
    if ("worthless" in answer) {
      log("github_grant_worthless", { userId: owner, reason: answer.worthless });
      this.#state.dropGrant(grant);
    } else if ("away" in answer) {
      log("github_away", { userId: owner, reason: answer.away });
    }
    return answer;
  }
}
