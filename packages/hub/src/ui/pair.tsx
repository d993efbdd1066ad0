import type { PairingLook, PairingNotice, PairingRequest } from "../pairing/contract.ts";
import type { Session } from "../auth/session.ts";
import type { Env } from "../env.ts";
import { routes } from "../routes.ts";
import { Command, pairCommand } from "./command.tsx";
import { Layout } from "./layout.tsx";
import { briefly, PairNotices } from "./pair-notices.tsx";
import { Since, Until } from "./time.tsx";

const TITLE = "Pair an instance · Orchestrator";

interface Viewed {
  session: Session;
  now: number;
}

/** Why the form is shown again. */
export type CodeProblem = "malformed" | "unknown";

const PROBLEMS: Record<CodeProblem, string> = {
  malformed: "A code has eight letters, such as WDJB-MJHT, and neither vowels nor digits.",
  unknown:
    "No instance waits under this code. Codes last ten minutes and work once: check the letters, or ask for a new one there.",
};

interface CodeFormProps extends Viewed {
  env: Env;
  /** As it was typed. */
  typed: string;
  problem: CodeProblem | undefined;
  /** Who asks this person by name. */
  notices: readonly PairingNotice[];
}

/** Where the code is said. */
export function PairForm({ session, now, env, typed, problem, notices }: CodeFormProps) {
  return (
    <Layout title={TITLE} session={session} now={now}>
      <main class="notice">
        <h1>Pair an instance</h1>
        {problem !== undefined && (
          <p class="callout failed" id="code-problem" role="alert">
            {PROBLEMS[problem]}
          </p>
        )}
        <PairNotices notices={notices} now={now} />
        <form method="get" action={routes.pair}>
          <label for="code">The code that the instance shows</label>
          <input
            id="code"
            name="code"
            value={typed}
            required
            maxlength={40}
            placeholder="WDJB-MJHT"
            autocomplete="off"
            autocapitalize="characters"
            spellcheck={false}
            aria-invalid={problem !== undefined}
            aria-describedby={problem === undefined ? undefined : "code-problem"}
          />
          <button class="button primary" type="submit">
            Continue
          </button>
        </form>
        <p class="hint">No code yet? Run this where Claude Code's web UI runs. It shows one.</p>
        <Command id="pair-command" text={pairCommand(env)} />
      </main>
    </Layout>
  );
}

interface RequestProps extends Viewed {
  request: PairingRequest;
  /** Name of the instance of this person that it says to be; undefined where it is new. */
  knownAs: string | undefined;
}

/** What asks, and the question. */
export function PairQuestion({ session, now, request, knownAs }: RequestProps) {
  const { code, isWaiting } = request;
  return (
    <Layout title={TITLE} session={session} now={now}>
      <main class="notice">
        <h1>Is this your instance?</h1>
        <p class="callout">
          Approve only what you have just started yourself. Nobody else has a reason to send you a code or
          this link: what you approve stands among your instances, in the place of any of them if it wants to,
          and whoever runs it sees what you write into it.
        </p>
        <Facts request={request} knownAs={knownAs} now={now} />
        {!isWaiting && (
          <p class="hint">
            It is not connected at the moment. If you approve it, it becomes yours once it is back.
          </p>
        )}
        <div class="actions">
          <Decision action={routes.approvePairing} code={code} className="button primary" words="Approve" />
          <Decision action={routes.denyPairing} code={code} className="button" words="Deny" />
        </div>
      </main>
    </Layout>
  );
}

function Facts({ request, knownAs, now }: Pick<RequestProps, "request" | "knownAs" | "now">) {
  const { hostname, project, platform, software, fingerprint, from, since, until, names } = request;
  const place = [from.place, from.ip].filter((part) => part !== null).join(", ");
  return (
    <dl class="facts">
      <Fact name="Code" value={request.code} isCode />
      <dt>Fingerprint</dt>
      <dd>
        {fingerprint === null ? "none" : <code id="fingerprint">{fingerprint}</code>}
        <br />
        <span class="hint">
          {fingerprint === null
            ? "Its client shows none to compare, and the names below are only what it says. If you did not start it this minute, deny it."
            : "Its terminal shows the same. If not, deny it."}
        </span>
      </dd>
      <Fact name="Host" value={hostname} />
      <Fact name="Project" value={project} />
      <Fact name="Platform" value={platform} />
      <Fact name="Connector" value={software === null ? "" : `${software.name} ${software.version}`} />
      <Fact name="Instance" value={knownAs === undefined ? "new" : `takes the place of ${knownAs}`} />
      {names !== null && <Fact name="Asks for" value={namesWords(names)} />}
      <dt>From</dt>
      <dd>
        {place === "" ? "this machine" : place}, <Since at={since} now={now} ago />
      </dd>
      <dt>Ends</dt>
      <dd>
        <Until at={until} now={now} />
      </dd>
    </dl>
  );
}

function Fact({ name, value, isCode = false }: { name: string; value: string; isCode?: boolean }) {
  if (value === "") return null;
  return (
    <>
      <dt>{name}</dt>
      <dd>{isCode ? <code>{value}</code> : <bdi>{briefly(value)}</bdi>}</dd>
    </>
  );
}

function namesWords({ users, organization, team }: NonNullable<PairingRequest["names"]>): string {
  const group =
    team === null
      ? (organization ?? "")
      : `team ${[organization, team].filter((part) => part !== null).join("/")}`;
  return [...users, group].filter((name) => name !== "").join(", ");
}

function Decision(props: { action: string; code: string; className: string; words: string }) {
  const { action, code, className, words } = props;
  return (
    <form method="post" action={action}>
      <input type="hidden" name="code" value={code} />
      <button class={className} type="submit">
        {words}
      </button>
    </form>
  );
}

type Decided = Exclude<PairingLook, { state: "asks" | "none" }>;

/** What this person has decided. */
export function PairDecided({ session, now, decided }: Viewed & { decided: Decided }) {
  const { title, words } = decidedWords(decided);
  return (
    <Layout title={TITLE} session={session} now={now}>
      <main class="notice">
        <h1>{title}</h1>
        <p class="notice-subject">
          <bdi>{briefly(decided.hostname)}</bdi>
        </p>
        <p role="status">{words}</p>
        <p>
          <a class="button primary" href={routes.dashboard}>
            Dashboard
          </a>{" "}
          <a class="button" href={routes.pair}>
            Pair another
          </a>
        </p>
      </main>
    </Layout>
  );
}

function decidedWords(decided: Decided): { title: string; words: string } {
  if (decided.state === "denied")
    return {
      title: "Denied",
      words: "It was told so and gets no token. Whoever runs it can ask again, with a new code.",
    };
  if (decided.isDelivered)
    return { title: "Approved", words: "It has its token and connects by itself. This code works no more." };
  return {
    title: "Approved",
    words:
      "It has not taken its token yet. It gets it when it reaches the hub, within the ten minutes of its code.",
  };
}
