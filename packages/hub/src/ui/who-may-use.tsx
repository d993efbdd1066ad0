import type { AccessList } from "@ai-orchestrator/protocol";
import type { InstanceAccess } from "../auth/instance-access.ts";
import { namesOf, whyNot } from "../who-may-use.ts";

/** "Only ann, bea and members of acme/core": each name is the instance's word, and keeps to its place. */
export function WhoMayUse({ access }: { access: AccessList }) {
  const { names, more } = namesOf(access);
  if (names.length === 0) return <>Nobody</>;
  const last = more > 0 ? -1 : names.length - 1;
  return (
    <>
      {"Only "}
      {names.map(({ before, name }, index) => (
        <>
          {index === 0 ? "" : index === last ? " and " : ", "}
          {before}
          <bdi>{name}</bdi>
        </>
      ))}
      {more > 0 && ` and ${more} more`}
    </>
  );
}

/** A list and why it lets somebody not in. */
export interface Refused {
  access: AccessList;
  refused: Extract<InstanceAccess, { allowed: false }>;
}

interface OwnRefusalProps extends Refused {
  /** How the person is signed in. */
  login: string;
}

/** Tells an instance's owner that it does not open for them, before they try. */
export function OwnRefusal({ access, refused, login }: OwnRefusalProps) {
  const why = whyNot(access, refused);
  return (
    <p class="callout failed" role="note">
      <span>
        You are signed in as <bdi>{login}</bdi>, and not on this instance's list of who may use it: it does
        not open for you. {why === "" ? "" : `${why} `}The list stands in its own settings, where it runs.
      </span>
    </p>
  );
}
