import type { PairingNotice } from "../pairing/contract.ts";
import { routes } from "../routes.ts";
import { Since } from "./time.tsx";

export const PAIR_NOTICES_ID = "pair-notices";

/** What an instance says of itself may be a page long. */
const BRIEF_LENGTH = 120;

/** Cut in the middle: a host's name begins with what tells it apart, a path ends with it. */
export function briefly(text: string): string {
  if (text.length <= BRIEF_LENGTH) return text;
  return `${text.slice(0, BRIEF_LENGTH / 3)}…${text.slice((-BRIEF_LENGTH * 2) / 3)}`.toWellFormed();
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
              <bdi>{briefly(hostname) || "An instance"}</bdi>
            </b>{" "}
            asks to become yours · <bdi>{briefly(project)}</bdi> · <Since at={since} now={now} ago /> ·{" "}
            <a href={pairPath(code)}>Look at it</a>
          </span>
        </p>
      ))}
    </div>
  );
}
