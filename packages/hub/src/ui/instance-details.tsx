import { sessionsByUrgency, type Instance } from "../instance.ts";
import { routes } from "../routes.ts";
import { Glyph } from "./glyph.tsx";
import { goneWords, sessionTitle } from "./instance-card.tsx";
import { Since } from "./time.tsx";
import { STATE_WORDS } from "./words.ts";

/** Everything known of an instance; `whole` on its own page, else behind its card. */
export function InstanceDetails({
  instance,
  now,
  whole = false,
}: {
  instance: Instance;
  now: number;
  whole?: boolean;
}) {
  const { software, upstream } = instance;
  return (
    <>
      <dl class="facts">
        <Fact name="Project" value={instance.project} />
        <Fact name="Host" value={`${instance.hostname} (${instance.platform})`} />
        <Fact
          name="Web app"
          value={upstream === null ? "not recognised" : `${upstream.name} ${upstream.version}`}
        />
        <Fact name="Connector" value={`${software.name} ${software.version}`} />
        <Fact name="Id" value={instance.clientId} />
        <ConnectionFact instance={instance} now={now} />
        <dt>First seen</dt>
        <dd>
          <Since at={instance.firstSeenAt} now={now} ago />
        </dd>
      </dl>
      {whole ? (
        <SessionTable instance={instance} now={now} />
      ) : (
        <a href={routes.client(instance.label)}>Details</a>
      )}
      {!instance.connected && <Forget instance={instance} />}
    </>
  );
}

function Fact({ name, value }: { name: string; value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>
        <bdi>{value}</bdi>
      </dd>
    </>
  );
}

function ConnectionFact({ instance, now }: { instance: Instance; now: number }) {
  if (instance.connected) {
    return (
      <>
        <dt>Connected</dt>
        <dd>
          <Since at={instance.connectedAt} now={now} ago />
        </dd>
      </>
    );
  }
  return (
    <>
      <dt>Unreachable</dt>
      <dd>
        <Since at={instance.goneAt ?? instance.heardAt} now={now} ago />, {goneWords(instance)}
      </dd>
    </>
  );
}

function SessionTable({ instance, now }: { instance: Instance; now: number }) {
  if (instance.sessions.length === 0) return <p class="hint">No Claude session is known.</p>;
  return (
    <div class="table-scroll">
      <table class="table">
        <caption>Claude sessions{instance.connected ? "" : ", as last known"}</caption>
        <thead>
          <tr>
            <th scope="col">State</th>
            <th scope="col">Session</th>
            <th scope="col">Project</th>
            <th scope="col">Since</th>
          </tr>
        </thead>
        <tbody>
          {sessionsByUrgency(instance).map((session) => (
            <tr>
              <td class="table-state" data-state={session.state}>
                <Glyph state={session.state} /> {STATE_WORDS[session.state]}
              </td>
              <td>
                <bdi>{sessionTitle(session, instance) || session.id}</bdi>
              </td>
              <td>
                <bdi>{session.project}</bdi>
              </td>
              <td>
                <Since at={session.since} now={now} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Forget({ instance }: { instance: Instance }) {
  return (
    <form method="post" action={routes.forgetClient(instance.label)}>
      <button class="plain danger" type="submit">
        Forget this instance
      </button>
    </form>
  );
}
