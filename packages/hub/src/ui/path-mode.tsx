import type { Session } from "../auth/session.ts";
import { instanceTitle, type Instance } from "../instance.ts";
import { instanceOrigin, type OriginSettings } from "../origins.ts";
import { routes } from "../routes.ts";
import { Layout } from "./layout.tsx";
import { OwnRefusal, type Refused, WhoMayUse } from "./who-may-use.tsx";

interface PathModeProps {
  instance: Instance;
  session: Session;
  origins: OriginSettings;
  now: number;
  /** Path where the instance is opened, below its prefix. */
  next: string;
  /** Somebody was on the way to the instance. */
  isAsked: boolean;
  /** Why the instance does not open for its owner, path mode or not. */
  refused: Refused | null;
}

/** Says what path mode trusts, whom it is for and what there is instead; allows it for one instance, and takes it back. */
export function PathModePage(props: PathModeProps) {
  const { instance, session, refused, now } = props;
  const title = instanceTitle(instance);
  return (
    <Layout title={`Path mode of ${title} · Orchestrator`} session={session} now={now}>
      <main class="page">
        <p class="crumbs">
          <a href={routes.client(instance.label)}>
            <bdi>{title}</bdi>
          </a>
        </p>
        <h1>Path mode</h1>
        {refused !== null && <OwnRefusal {...refused} login={session.login} />}
        <Standing {...props} />
        <Trusted isAdmin={session.role === "admin"} />
        <Instead {...props} />
      </main>
    </Layout>
  );
}

/** Whether it is allowed, and the button that changes that. */
function Standing({ instance, next, isAsked }: PathModeProps) {
  const { label, pathTrusted, access } = instance;
  return (
    <section class="setting" aria-labelledby="standing">
      <h2 id="standing">
        {pathTrusted
          ? "Path mode is allowed for this instance"
          : "Path mode is not allowed for this instance"}
      </h2>
      <p>
        {pathTrusted
          ? "It opens below this hub's own address. Taking it back closes what is open there, and clears what this browser has kept for the hub's address."
          : "Once you allow it, it opens below this hub's own address. Read first what that trusts."}
      </p>
      {access !== null && (
        <p>
          <WhoMayUse access={access} /> may use it, in path mode, too.
        </p>
      )}
      <form class="inline-form" method="post" action={routes.clientPath(label)}>
        <input type="hidden" name="path" value={pathTrusted ? "take-back" : "allow"} />
        {isAsked && <input type="hidden" name="next" value={next} />}
        {pathTrusted && (
          <a class="button primary" href={next}>
            Open
          </a>
        )}
        <button class="button" type="submit">
          {pathTrusted ? "Take it back" : "Allow path mode"}
        </button>
      </form>
      <p class="hint">
        Its address: <code>{routes.clientProxy(label)}</code>
      </p>
    </section>
  );
}

function Trusted({ isAdmin }: { isAdmin: boolean }) {
  return (
    <section class="setting" aria-labelledby="trusted">
      <h2 id="trusted">What it trusts</h2>
      <p>
        Pages of this instance then run on the hub's own address. Whatever runs in them can do at this hub
        what you can: open all your instances and read what they show, send them away, make and revoke tokens,
        approve pairings, and allow path mode for others.
        {isAdmin && " You are an administrator: it could also decide who may use this hub."}
      </p>
      <p>
        That is the web app itself, everything it loads or shows as a page, and whoever can change it or holds
        the token it connects with. Allow it only for an instance that you run yourself, with a web app that
        you trust as much as this hub and a token that nothing else has: once it connects with another, you
        are asked again.
      </p>
    </section>
  );
}

function Instead({ instance, origins }: PathModeProps) {
  const origin = instanceOrigin(instance.label, origins);
  return (
    <section class="setting" aria-labelledby="instead">
      <h2 id="instead">Without that trust</h2>
      {instance.protocol === 1 ? (
        <p>
          On an address of its own an instance can do none of this, but the client of this one speaks version
          1 of the protocol, which knows only path mode. A newer client opens at its own address.
        </p>
      ) : origin === undefined ? (
        <p>
          On an address of its own an instance can do none of this, but this hub has one host name only. Its
          administrator can give instances addresses with the setting <code>INSTANCE_HOST</code>.
        </p>
      ) : (
        <p>
          This instance also opens at <a href={`${origin}/`}>its own address</a>, where it can do none of
          this. That is the better way wherever it works; path mode is for where only the hub's own host name
          can be reached.
        </p>
      )}
    </section>
  );
}
