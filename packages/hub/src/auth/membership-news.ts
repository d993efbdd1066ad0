/** Takes what GitHub's webhooks tell into account: at the people it is about, and in the names of the allow-list. */
import { renameAllowedOrganization, renameAllowedTeam } from "../db/allowed-entities.ts";
import type { Env } from "../env.ts";
import type { WebhookNews } from "./github-webhook.ts";
import { isKnownOf, type Loss } from "./membership-loss.ts";
import { isEntityName } from "./policy-settings.ts";
import { forAdmitted, type AdmittedPerson } from "./recheck.ts";

/** Believes the news. Resolves when whoever is not admitted any more has nothing open. */
export async function applyNews(env: Env, news: WebhookNews): Promise<void> {
  switch (news.news) {
    case "lost":
      await env.USER_HUB.getByName(news.userId).membershipLost(news.loss);
      return;
    case "revoked":
      await env.USER_HUB.getByName(news.userId).membershipLost({ lost: "authorization" });
      return;
    case "gone":
      return forAdmitted(env, concernedBy(news.loss), (hub) => hub.membershipLost(news.loss));
    case "organization_renamed":
      if (isEntityName("organization", news.login)) await renameAllowedOrganization(env.DB, news);
      return;
    case "team_renamed":
      if (isEntityName("team", news.name)) await renameAllowedTeam(env.DB, news);
      return;
    case "uninstalled":
      return doubtNews(env, news);
  }
}

/** Does not believe the news, but asks GitHub about the people whom it concerns. */
export async function doubtNews(env: Env, news: WebhookNews): Promise<void> {
  switch (news.news) {
    case "lost":
    case "revoked":
      await env.USER_HUB.getByName(news.userId).membershipDoubted();
      return;
    case "gone":
      return forAdmitted(env, concernedBy(news.loss), (hub) => hub.membershipDoubted());
    case "uninstalled": {
      const loss: Loss = { lost: "organization", ...news.organization };
      return forAdmitted(env, concernedBy(loss), (hub) => hub.membershipDoubted());
    }
    case "organization_renamed":
    case "team_renamed":
      return;
  }
}

function concernedBy(loss: Loss): (person: AdmittedPerson) => boolean {
  return ({ memberships }) => isKnownOf(memberships, loss);
}
