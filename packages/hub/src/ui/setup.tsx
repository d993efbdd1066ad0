import { routes } from "../routes.ts";
import { Layout } from "./layout.tsx";

/** What went wrong on the way to GitHub and back. */
export type SetupProblem = "expired" | "refused" | "away" | "login";

const PROBLEMS: Record<SetupProblem, string> = {
  expired: "That took too long, or was begun in another tab. Begin again.",
  refused:
    "GitHub does not take its code for the App any more, so the hub did not get the App's secrets. Delete the App at GitHub and begin again.",
  away: "GitHub did not answer, so the hub did not get the App's secrets. Delete the App at GitHub and begin again.",
  login: "That is no organisation's name at GitHub. Write it as it stands in its address.",
};

const TITLE = "Set up · Orchestrator";

/** Trades the printed code for the setup cookie. */
export function CodeForm({ code }: { code: string }) {
  return (
    <Layout title={TITLE}>
      <main class="notice">
        <h1>Set up signing in with GitHub</h1>
        <p>
          You make a GitHub App for this hub, then sign in as its first administrator. The link that brought
          you here works once, and what follows is open for an hour, in this browser only.
        </p>
        <form method="post" action={routes.setup}>
          <input type="hidden" name="code" value={code} />
          <button class="button primary" type="submit">
            Begin
          </button>
        </form>
      </main>
    </Layout>
  );
}

/** Whose the App will be. */
export function AppForm({ problem }: { problem: SetupProblem | undefined }) {
  return (
    <Layout title={TITLE}>
      <main class="notice">
        <h1>Make the GitHub App</h1>
        {problem !== undefined && <p class="callout failed">{PROBLEMS[problem]}</p>}
        <p>
          People sign in with a GitHub App of your own. GitHub makes it from what the hub tells it, and gives
          the hub its secrets.
        </p>
        <form class="setup-form" method="get" action={routes.setup}>
          <input type="hidden" name="step" value="confirm" />
          <label for="setup-organization">Organisation that owns the App</label>
          <input
            id="setup-organization"
            name="organization"
            autocomplete="off"
            autocapitalize="none"
            spellcheck={false}
            maxlength={100}
            placeholder="your own account"
            aria-describedby="setup-organization-hint"
          />
          <p class="hint" id="setup-organization-hint">
            You must be one of its owners. Leave it empty to own the App yourself.
          </p>
          <label class="choice">
            <input type="checkbox" name="public" value="yes" /> Other organisations install it, too
          </label>
          <p class="hint">
            Without this only its owner can. Who gets into the hub is decided here, whoever installs it.
          </p>
          <button class="button primary" type="submit">
            Continue
          </button>
        </form>
      </main>
    </Layout>
  );
}

interface ConfirmFormProps {
  /** GitHub's page for new Apps, with the state. */
  action: string;
  manifest: string;
  name: string;
  /** Empty for the person's own account. */
  organization: string;
  isPublic: boolean;
  hasWebhooks: boolean;
}

/** The form that goes to GitHub. */
export function ConfirmForm(props: ConfirmFormProps) {
  const { action, manifest, name, organization, isPublic, hasWebhooks } = props;
  return (
    <Layout title={TITLE}>
      <main class="notice">
        <h1>Make the GitHub App</h1>
        <dl class="facts">
          <dt>Name</dt>
          <dd>{name} (you can change it at GitHub)</dd>
          <dt>Owner</dt>
          <dd>
            <bdi>{organization === "" ? "your own account" : organization}</bdi>
          </dd>
          <dt>Installed by</dt>
          <dd>{isPublic ? "any organisation" : "its owner only"}</dd>
          <dt>May read</dt>
          <dd>members and teams of organisations that install it, nothing else</dd>
          <dt>Webhooks</dt>
          <dd>{hasWebhooks ? "who leaves, at once" : "none: GitHub cannot reach this machine"}</dd>
        </dl>
        <form method="post" action={action}>
          <input type="hidden" name="manifest" value={manifest} />
          <p>
            <button class="button primary" type="submit">
              Make it at GitHub
            </button>{" "}
            <a class="button" href={routes.setup}>
              Back
            </a>
          </p>
        </form>
      </main>
    </Layout>
  );
}

/** The App is there. `installUrl` is GitHub's page that installs it, where the hub knows it. */
export function AdministratorStep({ installUrl }: { installUrl: string | undefined }) {
  return (
    <Layout title={TITLE}>
      <main class="notice">
        <h1>Two steps are left</h1>
        <ol class="steps">
          <li>
            <p>
              Install the App on the organisations whose members may use this hub. GitHub then tells the hub
              who belongs to them.
            </p>
            {installUrl !== undefined && (
              <a class="button" href={installUrl} target="_blank" rel="noopener">
                Install it at GitHub
              </a>
            )}
          </li>
          <li>
            <p>Sign in. You become the first administrator, decide who else gets in, and this page closes.</p>
            <a class="button primary" href={routes.gitHubSignIn}>
              Sign in with GitHub
            </a>
          </li>
        </ol>
      </main>
    </Layout>
  );
}
