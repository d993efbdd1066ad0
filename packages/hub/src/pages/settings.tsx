import { Hono } from "hono";
import * as v from "valibot";
import { parseLocalPath } from "../auth/next-path.ts";
import type { Session } from "../auth/session.ts";
import { setShowsMark, showsMark } from "../db/users.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { inOrder, instanceTitle, type Instance } from "../instance.ts";
import { instanceOrigin, isLabel } from "../origins.ts";
import { instanceRoutes, routes } from "../routes.ts";
import { Layout } from "../ui/layout.tsx";
import { readForm } from "./form.ts";

/** How the hub looks to this person: in this browser (the theme), and everywhere (the mark). */
export const settingsPages = new Hono<HubContext>();

settingsPages.get(routes.settings, async (c) => {
  const session = c.get("session");
  const [hasMark, instances] = await Promise.all([
    showsMark(c.env.DB, session.userId),
    c.env.USER_HUB.getByName(session.userId).list(session.id),
  ]);
  if (instances === "signed_out") throw new HubError("sign_in_required");
  const trusted = inOrder(instances.filter(({ pathTrusted }) => pathTrusted));
  return c.html(<SettingsPage session={session} hasMark={hasMark} trusted={trusted} />);
});

/** `from` and `next`: the instance in whose mark it was asked for, and the path there to come back to, in path mode below the hub. */
const FormSchema = v.object({
  mark: v.picklist(["on", "off"]),
  from: v.optional(v.pipe(v.string(), v.check(isLabel))),
  next: v.optional(v.string()),
  mode: v.optional(v.literal("path")),
});

settingsPages.post(routes.settings, async (c) => {
  const form = v.safeParse(FormSchema, await readForm(c));
  if (!form.success) throw new HubError("bad_request");
  const { mark, from, next, mode } = form.output;
  await setShowsMark(c.env.DB, c.get("session").userId, mark === "on");
  if (from === undefined) return c.redirect(routes.settings, 303);
  const origin = mode === "path" ? undefined : instanceOrigin(from, c.env);
  if (origin === undefined) return c.redirect(pathBelow(routes.clientProxy(from), next), 303);
  // What the cookie there says is as old as the cookie: the browser is let in anew.
  const enter = new URL(instanceRoutes.enter, origin);
  enter.searchParams.set("next", parseLocalPath(next ?? "/") ?? "/");
  return c.redirect(enter.href, 303);
});

/** The path where it stands below the prefix, else the prefix itself. */
function pathBelow(prefix: string, path: string | undefined): string {
  const local = parseLocalPath(path);
  return local?.startsWith(`${prefix}/`) ? local : prefix;
}

const THEMES = [
  ["system", "As the system"],
  ["light", "Light"],
  ["dark", "Dark"],
] as const;

interface SettingsProps {
  session: Session;
  hasMark: boolean;
  /** Instances that its person allows in path mode. */
  trusted: readonly Instance[];
}

function SettingsPage({ session, hasMark, trusted }: SettingsProps) {
  return (
    <Layout title="Settings · Orchestrator" session={session} current="settings">
      <main class="page">
        <h1>Settings</h1>
        <fieldset class="setting">
          <legend>Theme</legend>
          <p class="hint">In this browser.</p>
          {THEMES.map(([value, words]) => (
            <label>
              <input type="radio" name="theme" value={value} autocomplete="off" /> {words}
            </label>
          ))}
        </fieldset>
        <section class="setting" aria-labelledby="mark-heading">
          <h2 id="mark-heading">Mark in instances' pages</h2>
          <p>
            A tab at the edge of every page of your instances. It says whether the hub and the instance are
            there, and leads to the others.
          </p>
          <form class="inline-form" method="post" action={routes.settings}>
            <input type="hidden" name="mark" value={hasMark ? "off" : "on"} />
            <span>{hasMark ? "It is shown." : "It is hidden."}</span>
            <button class="button" type="submit">
              {hasMark ? "Hide the mark" : "Show the mark"}
            </button>
          </form>
          <p class="hint">
            Pages follow within five minutes, once they are loaded again. Where it is hidden by its own
            button, it is gone at once.
          </p>
        </section>
        <TrustedInstances trusted={trusted} />
      </main>
    </Layout>
  );
}

function TrustedInstances({ trusted }: Pick<SettingsProps, "trusted">) {
  return (
    <section class="setting" aria-labelledby="path-heading">
      <h2 id="path-heading">Path mode</h2>
      <p>
        {trusted.length === 0
          ? "No instance of yours may run its pages on this hub's own address. An instance's page leads to where that is allowed."
          : "These instances may run their pages on this hub's own address, and do there what you can:"}
      </p>
      {trusted.map((instance) => (
        <p class="crumbs">
          <a href={routes.clientPath(instance.label)}>
            <bdi>{instanceTitle(instance)}</bdi>
          </a>{" "}
          <bdi class="hint">{instance.hostname}</bdi>
        </p>
      ))}
    </section>
  );
}
