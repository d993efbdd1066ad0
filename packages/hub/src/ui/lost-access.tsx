import type { LostAccess } from "../auth/lost-access.ts";
import { visibleText } from "../visible-text.ts";

const WHY: Record<LostAccess["reason"], (login: string) => string> = {
  empty_policy: () => "This hub lets nobody in now. Ask its administrator.",
  not_a_member: (login) =>
    `${login} belongs to nothing that this hub lets in any more. Ask an administrator of it, or an owner of your organisation.`,
  invitation_pending: (login) =>
    `${login} is invited to what this hub lets in, but has not accepted. Accept the invitation at GitHub, then sign in again.`,
  sso_required: () =>
    "GitHub tells who belongs to your organisation only during a single sign-on session. Start one at GitHub, then sign in again.",
  app_not_installed: () =>
    "GitHub does not tell this hub any more who belongs to your organisation. Ask an owner of it to install this hub's GitHub App.",
  unknown: (login) =>
    `GitHub did not say whether ${login} still belongs to what this hub lets in. Sign in again.`,
  unverified: (login) =>
    `The hub could not ask GitHub whether ${login} still belongs to what it lets in. Sign in again.`,
};

/** Why somebody who was in a moment ago is asked to sign in. */
export function LostAccessNote({ lost: { login, reason } }: { lost: LostAccess }) {
  return (
    <div class="callout failed" role="status">
      <strong>Your access has ended</strong>
      <p>{WHY[reason](visibleText(login))}</p>
      <p>What you had open was closed, and your instances are disconnected until you are let in again.</p>
    </div>
  );
}
