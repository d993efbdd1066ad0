/** What the page says to somebody who came back from GitHub and does not get in: what happened, about whom, the way on. */
import type { GitHubApp } from "../auth/github-app.ts";
import type { Refused } from "../auth/refusal.ts";
import type { ErrorDetail } from "../errors.ts";
import { routes } from "../routes.ts";
import { visibleText } from "../visible-text.ts";

const AGAIN = { href: routes.gitHubSignIn, text: "Sign in again" };
const OTHER = { href: `${routes.gitHubSignIn}?account=other`, text: "Use another account" };

type App = Pick<GitHubApp, "url" | "pageUrl">;

export function refusalDetail(refused: Refused, app: App): ErrorDetail {
  switch (refused.code) {
    case "sign_in_expired":
    case "sign_in_cancelled":
      return { link: AGAIN };
    case "github_unavailable":
      return { link: { ...AGAIN, text: "Try again" } };
    case "too_many_requests":
      return { retryAfterSeconds: refused.retryAfterSeconds };
    case "not_admitted":
      return { message: notAdmitted(visibleText(refused.login), refused.isPolicyEmpty), link: OTHER };
    case "invitation_pending":
      return {
        message: `GitHub says that ${visibleText(refused.login)} is invited to ${listOf(refused)}, but has not accepted.`,
        link: { href: `${organizationPage(refused, app)}/invitation`, text: "See the invitation" },
        otherLink: AGAIN,
      };
    case "sso_required":
      return {
        message: `GitHub tells who belongs to ${listOf(refused)} only during a single sign-on session.`,
        link: { href: ssoPage(refused, app), text: "Start the session" },
        otherLink: AGAIN,
      };
    case "app_not_installed":
      return {
        message: `GitHub does not tell this hub who belongs to ${listOf(refused)}.`,
        ...installation(app),
      };
  }
}

type About = Extract<Refused, { about: string[] }>;

function listOf({ about }: About): string {
  return about.map(visibleText).join(", ");
}

/** The page of the first organisation that it is about. */
function organizationPage({ about }: About, { url }: App): string {
  const [organization = ""] = (about[0] ?? "").split("/");
  return `${url}/orgs/${encodeURIComponent(organization)}`;
}

function ssoPage(refused: Extract<Refused, { code: "sso_required" }>, app: App): string {
  return atGitHub(refused.ssoUrl, app) ?? `${organizationPage(refused, app)}/sso`;
}

function notAdmitted(who: string, isPolicyEmpty: boolean): string {
  if (isPolicyEmpty) return `You signed in at GitHub as ${who}, but this hub lets nobody in yet.`;
  return `You signed in at GitHub as ${who}, who belongs to nothing that this hub lets in.`;
}

function installation(app: App): Pick<ErrorDetail, "link" | "otherLink"> {
  const pageUrl = atGitHub(app.pageUrl, app);
  if (pageUrl === undefined) return { link: AGAIN };
  return { link: { href: `${pageUrl}/installations/new`, text: "Install it" }, otherLink: AGAIN };
}

/** The address, if it is one of GitHub's. */
export function atGitHub(text: string | null, { url }: Pick<App, "url">): string | undefined {
  const address = URL.parse(text ?? "");
  return address !== null && address.origin === new URL(url).origin ? address.href : undefined;
}
