import { Hono, type Context } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { placeOf } from "../auth/request-place.ts";
import { errorMeaning } from "../error-codes.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { entityWords } from "../ui/access-words.ts";
import { AddForm, EmptyPolicy, EntityList, Losses, Problems, Refused, type Written } from "../ui/access.tsx";
import { Why, WhyForm } from "../ui/access-why.tsx";
import { Layout } from "../ui/layout.tsx";
import { accessOf, addEntity, removalOf, removeEntity, type Actor } from "./access-actions.ts";
import { whyAccess } from "./access-why.ts";
import { readForm } from "./form.ts";

/** Who may use the hub, for its administrators. */
export const accessPages = new Hono<HubContext>();

accessPages.get(routes.access, async (c) => c.html(await accessPage(c)));

accessPages.post(routes.addAccess, async (c) => {
  const body = await readForm(c);
  try {
    const { kind, id } = await addEntity(c.env, actorOf(c), body);
    return c.redirect(`${routes.access}#${kind}-${id}`, 303);
  } catch (error) {
    // Said where it was written, with what was written: most often it is a name that wants its id.
    if (!(error instanceof HubError)) throw error;
    const status = errorMeaning(error.code).status as ContentfulStatusCode;
    return c.html(await accessPage(c, { error, written: writtenIn(body) }), status);
  }
});

/** Asks first, on a page that says whom it hits; with `confirmed` it removes. */
accessPages.post(routes.removeAccess, async (c) => {
  const body = await readForm(c);
  if (body["confirmed"] !== "yes") return c.html(await removalPage(c, body));
  await removeEntity(c.env, actorOf(c), body);
  return c.redirect(routes.access, 303);
});

accessPages.get(routes.whyAccess, async (c) => {
  const user = c.req.query("user") ?? "";
  const answer = user.trim() === "" ? undefined : await whyAccess(c.env, user);
  const now = Date.now();
  return c.html(
    <Layout title="Why · Orchestrator" session={c.get("session")} current="access" now={now}>
      <main class="page">
        <p class="crumbs">
          <a href={routes.access}>Access</a>
        </p>
        <h1>Why can, or can’t, somebody get in</h1>
        <WhyForm user={user} />
        {answer !== undefined && <Why answer={answer} now={now} />}
      </main>
    </Layout>,
  );
});

/** The administrator behind a request. */
export function actorOf(c: Context<HubContext>): Actor {
  const { userId, login } = c.get("session");
  return { userId, login, from: placeOf(c.req.raw) };
}

async function accessPage(c: Context<HubContext>, refused?: { error: HubError; written: Written }) {
  const { entities, problems } = await accessOf(c.env);
  const now = Date.now();
  return (
    <Layout title="Access · Orchestrator" session={c.get("session")} current="access" now={now}>
      <main class="page">
        <h1>Access</h1>
        <p>
          Who signs in with GitHub gets in if they are on this list or belong to what is on it. Ids decide, so
          a name that changes hands lets nobody in. What happened is in the{" "}
          <a href={routes.audit}>audit log</a>; what the hub uses and costs, under{" "}
          <a href={routes.usage}>Usage</a>.
        </p>
        <Problems problems={problems} />
        {entities.length === 0 && <EmptyPolicy />}
        {c.env.GITHUB_SIGN_IN !== "enabled" && (
          <p class="hint">This hub does not sign in with GitHub, so for now the list lets nobody in.</p>
        )}
        {refused !== undefined && (
          <Refused code={refused.error.code} message={refused.error.detail.message} />
        )}
        <AddForm written={refused?.written} />
        {entities.length > 0 && <EntityList entities={entities} now={now} />}
        <h2>Why can, or can’t, somebody get in</h2>
        <WhyForm />
      </main>
    </Layout>
  );
}

async function removalPage(c: Context<HubContext>, body: unknown) {
  const session = c.get("session");
  const { entity, losses } = await removalOf(c.env, body);
  return (
    <Layout title="Remove · Orchestrator" session={session} current="access" now={Date.now()}>
      <main class="page">
        <p class="crumbs">
          <a href={routes.access}>Access</a>
        </p>
        <h1>
          Remove <bdi>{entityWords(entity)}</bdi> from the allow-list?
        </h1>
        <Losses losses={losses} login={session.login} />
        <form class="inline-form" method="post" action={routes.removeAccess}>
          <input type="hidden" name="kind" value={entity.kind} />
          <input type="hidden" name="id" value={entity.id} />
          <input type="hidden" name="confirmed" value="yes" />
          <button class="button danger" type="submit">
            Remove
          </button>
          <a href={routes.access}>Cancel</a>
        </form>
      </main>
    </Layout>
  );
}

function writtenIn(body: Record<string, unknown>): Written {
  const text = (value: unknown) => (typeof value === "string" ? value : "");
  return { kind: text(body["kind"]), name: text(body["name"]), role: text(body["role"]) };
}
