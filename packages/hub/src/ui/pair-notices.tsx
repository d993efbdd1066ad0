import type { PairingNotice } from "../pairing/contract.ts";
import { routes } from "../routes.ts";
import { Since } from "./time.tsx";

export const PAIR_NOTICES_ID = "pair-notices";

/** The page of one request, as the link in the terminal leads to it. */
export function pairPath(code: string): string {
  return `${routes.pair}?code=${code}`;
}

/** Instances that ask this person by name for a token; nothing where none does. */
export function PairNotices({ notices, now }: { notices: readonly PairingNotice[]; now: number }) {
  return (
    <div id={PAIR_NOTICES_ID} role="status">
      {notices.map(({ code, hostname, project, since }) => (
        <div class="callout filter-note">
          <p>
            <b>
              <bdi>{hostname || "An instance"}</bdi>
            </b>{" "}
            asks to become yours · <bdi>{project}</bdi> · <Since at={since} now={now} ago />
          </p>
          <a class="button" href={pairPath(code)}>
            Look at it
          </a>
        </div>
      ))}
    </div>
  );
}
