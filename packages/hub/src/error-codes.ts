/** What each error code means: the only place that says so. `docs/errors.md` lists them. */

export interface ErrorMeaning {
  status: number;
  title: string;
  /** What happened, in a sentence. */
  happened: string;
  /** What to do next, in a sentence. */
  next: string;
}

const MEANINGS = {
  bad_request: {
    status: 400,
    title: "That request is not valid",
    happened: "The hub could not read it.",
    next: "Go back and try again.",
  },
  bad_name: {
    status: 400,
    title: "That name is too long",
    happened: "An instance's name has up to 80 characters.",
    next: "Give it a shorter one.",
  },
  code_expired: {
    status: 401,
    title: "This link no longer works",
    happened: "A sign-in link works once and only for a short time; this one was used or is too old.",
    next: "Press Enter in the hub's terminal for a new link, or run npm start again.",
  },
  sign_in_expired: {
    status: 400,
    title: "This sign-in took too long",
    happened: "It was begun too long ago, in another browser, or was finished already.",
    next: "Sign in again.",
  },
  sign_in_cancelled: {
    status: 403,
    title: "Sign-in cancelled",
    happened: "GitHub says that you did not agree.",
    next: "Sign in again and agree; the hub only learns who you are and whether you belong.",
  },
  sign_in_required: {
    status: 401,
    title: "Sign in first",
    happened: "You are not signed in, or your sign-in ended.",
    next: "Sign in and come back.",
  },
  enter_refused: {
    status: 403,
    title: "This way in no longer works",
    happened:
      "The hub's code for this browser was used, is older than a minute, or belongs to another browser.",
    next: "Open the instance again; if that does not help, allow cookies for this site.",
  },
  not_allowed: {
    status: 403,
    title: "Not yours to open",
    happened: "You are signed in, but not as its owner.",
    next: "Ask its owner.",
  },
  not_named: {
    status: 403,
    title: "Not yours to approve",
    happened: "This instance names who may approve it, and you are not known to be one of them.",
    next: "Ask whoever runs it to name you, or give it a token of yours.",
  },
  not_on_list: {
    status: 403,
    title: "You are not on this instance's list",
    happened: "Whoever runs this instance has said who may use it, and you are not among them.",
    next: "Ask whoever runs it to add you where it runs: ORCHESTRATOR_GITHUB_USERS, _ORG or _TEAM, or the same in its config file. It counts from the next start of its connector.",
  },
  not_admitted: {
    status: 403,
    title: "This hub is not open to you",
    happened: "You are signed in at GitHub, but belong to nobody whom this hub lets in.",
    next: "Ask an administrator of this hub to let you, your team or your organisation in.",
  },
  invitation_pending: {
    status: 403,
    title: "Accept your invitation first",
    happened: "You are invited to an organisation or team that may use this hub, but have not accepted.",
    next: "Accept the invitation at GitHub, then sign in again.",
  },
  sso_required: {
    status: 403,
    title: "Start your organisation's single sign-on first",
    happened: "Your organisation lets GitHub tell who its members are only during a single sign-on session.",
    next: "Start the session at GitHub, then sign in again.",
  },
  app_not_installed: {
    status: 403,
    title: "The GitHub App is not installed there",
    happened: "GitHub does not tell this hub who belongs to the organisation that may use it.",
    next: "Ask an owner of the organisation to install this hub's GitHub App, then sign in again.",
  },
  admin_required: {
    status: 403,
    title: "For administrators",
    happened: "You are signed in, but are not an administrator of this hub.",
    next: "Ask one of its administrators.",
  },
  webhook_refused: {
    status: 401,
    title: "Webhook refused",
    happened: "The signature is missing or wrong.",
    next: "Check that the webhook secret at GitHub is this hub's.",
  },
  path_mode_not_allowed: {
    status: 403,
    title: "Path mode is not allowed for this instance",
    happened: "Its pages would run on the hub's own address, which its owner has not allowed.",
    next: "Open the instance: the page that comes says what that means, and lets its owner allow it.",
  },
  origin_refused: {
    status: 403,
    title: "Refused",
    happened: "The request came from another site than this hub.",
    next: "Open the hub's own page and do it there.",
  },
  not_found: {
    status: 404,
    title: "Nothing here",
    happened: "There is no such page.",
    next: "Check the address, or go to the dashboard.",
  },
  name_not_found: {
    status: 404,
    title: "Nobody of that name",
    happened: "GitHub knows nobody of that name, or does not show them to you.",
    next: "Check the spelling, or write the name with its numeric id, as name:id.",
  },
  last_administrator: {
    status: 409,
    title: "That would leave nobody in charge",
    happened: "Nobody who has signed in to this hub would be its administrator any more.",
    next: "Let another administrator in first; once they have signed in, do it again.",
  },
  set_by_settings: {
    status: 409,
    title: "That stands in the settings",
    happened: "The hub's own settings let them in, and no page changes those.",
    next: "Change the setting where the hub is deployed.",
  },
  still_connected: {
    status: 409,
    title: "It is connected",
    happened: "Only an instance that is not connected can be forgotten.",
    next: "Disconnect it first.",
  },
  not_connected: {
    status: 409,
    title: "It is not connected",
    happened: "There is no connector to ask.",
    next: "Try again when it is back.",
  },
  policy_full: {
    status: 409,
    title: "Too many at once",
    happened: "The allow-list is as long as the hub keeps it.",
    next: "Remove what is not needed, or let in an organisation or a team instead of single people.",
  },
  too_many_tokens: {
    status: 409,
    title: "Too many tokens",
    happened: "You have as many tokens as the hub keeps.",
    next: "Revoke one you do not use.",
  },
  token_replaced: {
    status: 409,
    title: "This token was rotated before",
    happened: "Another token has taken its place.",
    next: "Rotate that one, or make a new token.",
  },
  too_large: {
    status: 413,
    title: "Too large",
    happened: "The request is larger than what is taken here.",
    next: "Send less at once.",
  },
  too_many_requests: {
    status: 429,
    title: "Too many attempts",
    happened: "There were too many attempts from where you are.",
    next: "Wait a little, then try again.",
  },
  misconfigured: {
    status: 500,
    title: "This hub's settings are not valid",
    happened: "A setting cannot be read, so nobody is let in by it.",
    next: "Its administrator finds the setting's name in the hub's log.",
  },
  internal_error: {
    status: 500,
    title: "Something broke in the hub",
    happened: "It was logged.",
    next: "Try again.",
  },
  connection_lost: {
    status: 502,
    title: "The connection was lost",
    happened: "The instance's connection to the hub broke before it answered.",
    next: "Try again; it usually comes back by itself.",
  },
  instance_unreachable: {
    status: 502,
    title: "The web app refuses connections",
    happened: "The connector is here, but the web app beside it does not answer.",
    next: "Start it on its machine, then try again.",
  },
  upstream_failed: {
    status: 502,
    title: "The web app's answer broke off",
    happened: "The web app closed the connection, or sent an answer that is not valid HTTP.",
    next: "Try again; its own log says more.",
  },
  github_unavailable: {
    status: 503,
    title: "GitHub does not answer",
    happened: "The hub could not ask GitHub who you are or whether you belong.",
    next: "Try again in a minute.",
  },
  instance_offline: {
    status: 503,
    title: "This instance is unreachable",
    happened: "It is not connected to the hub now.",
    next: "This page opens it by itself when it is back. On its machine, check that the connector runs.",
  },
  too_many_streams: {
    status: 503,
    title: "Too much at once",
    happened: "This instance handles as many requests as it can.",
    next: "Try again soon.",
  },
  quota_reached: {
    status: 503,
    title: "This hub saves what is left",
    happened:
      "What its plan allows is nearly used up, so nothing new is opened at instances. What is open goes on, and dashboards work.",
    next: "Try again when its quota begins anew. Its administrators find more on the page Usage.",
  },
  upstream_timeout: {
    status: 504,
    title: "The web app did not answer",
    happened: "It took too long.",
    next: "Try again; its own log says more.",
  },
  version_1_timeout: {
    status: 504,
    title: "No answer came to an end",
    happened: "The instance's client sends answers only when they are whole, and none was in time.",
    next: "Try again, or update the client of this instance: version 2 of the protocol streams.",
  },
  version_1_limit: {
    status: 501,
    title: "This instance's client cannot do that",
    happened: "It speaks version 1 of the protocol, which carries less than what was asked for.",
    next: "Update the client of this instance: version 2 of the protocol has no such limit.",
  },
  version_1_address: {
    status: 501,
    title: "This instance opens at another address",
    happened:
      "Its client speaks version 1 of the protocol, which knows no address of its own for an instance.",
    next: "Open it below the hub's own address, or update its client.",
  },
  instance_unanswered: {
    status: 504,
    title: "No answer yet",
    happened: "The hub's connection to the instance did not answer in time.",
    next: "Look at the instance again in a moment: what you asked for may still happen.",
  },
} as const satisfies Record<string, ErrorMeaning>;

export type ErrorCode = keyof typeof MEANINGS;

/** Every code, for the list in docs/errors.md. */
export const ERROR_CODES = Object.keys(MEANINGS) as ErrorCode[];

export function errorMeaning(code: ErrorCode): ErrorMeaning {
  return MEANINGS[code];
}
