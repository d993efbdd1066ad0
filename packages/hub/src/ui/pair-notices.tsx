import type { PairingNotice } from "../pairing/contract.ts";
import { routes } from "../routes.ts";
import { Since } from "./time.tsx";

export const PAIR_NOTICES_ID = "pair-notices";

/** What an instance says of itself may be a page long. */
const BRIEF_LENGTH = 120;
/** Whoever knows a login can put up to five of these above a person's cards. */
const NOTICE_LENGTH = 48;

/** Cut in the middle: a host's name begins with what tells it apart, a path ends with it. */
export function briefly(text: string, length = BRIEF_LENGTH): string {
  if (text.length <= length) return text;
  return `${text.slice(0, length / 3)}…${text.slice((-length * 2) / 3)}`.toWellFormed();
}

/** The page of one request, as the link in the terminal leads to it. */
export function pairPath(code: string): string {
  return `${routes.pair}?code=${code}`;
}

/** Instances that ask this person by name for a token; nothing where none does. */
export function PairNotices({ notices, now }: { notices: readonly PairingNotice[]; now: number }) {
  return (
    <div id={PAIR_NOTICES_ID} role="status">
      {notices.map(({ code, hostname, project, since }) => (
        <p class="callout">
          <span>
            <b>
              <bdi>{briefly(hostname, NOTICE_LENGTH) || "An instance"}</bdi>
            </b>{" "}
            asks to become yours · <bdi>{briefly(project, NOTICE_LENGTH)}</bdi> ·{" "}
            <Since at={since} now={now} ago /> ·{" "}
            <a href={pairPath(code)} aria-label={`Look at it: ${briefly(hostname, NOTICE_LENGTH)}`}>
              Look at it
            </a>
          </span>
        </p>
      ))}
    </div>
  );
}
