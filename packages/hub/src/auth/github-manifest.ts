/** Making the hub's GitHub App: what GitHub is told of it, and what GitHub then tells of it. */
import * as v from "valibot";
import type { Env } from "../env.ts";
import { routes } from "../routes.ts";
import { randomSecret } from "../secrets.ts";
import type { GitHubPlace, MadeApp } from "./github-app.ts";
import { askGitHub, parseJson, type Away } from "./github-http.ts";
import { isLoopbackName } from "./local.ts";

/** Names are GitHub-wide, of 34 characters at most; the person can change it there. */
const MAX_NAME = 34;

/** True where GitHub can reach the hub: it refuses a webhook address that it cannot, even one that is switched off. */
function isReachable(env: Pick<Env, "HUB_ORIGIN">): boolean {
  return !isLoopbackName(new URL(env.HUB_ORIGIN).hostname);
}

export function createManifest(env: Pick<Env, "HUB_ORIGIN">, app: { isPublic: boolean }) {
  const at = (path: string) => `${env.HUB_ORIGIN}${path}`;
  const tail = ` ${randomSecret(3).replaceAll(/[-_]/g, "0")}`;
  const name = `Orchestrator ${new URL(env.HUB_ORIGIN).hostname}`.slice(0, MAX_NAME - tail.length).trim();
  return {
    name: `${name}${tail}`,
    url: env.HUB_ORIGIN,
    redirect_url: at(routes.setupCreated),
    callback_urls: [at(routes.gitHubCallback)],
    // Where GitHub sends people after they have installed it.
    setup_url: at(routes.signIn),
    public: app.isPublic,
    default_permissions: { members: "read" },
    ...(isReachable(env)
      ? {
          hook_attributes: { url: at(routes.gitHubWebhooks), active: true },
          default_events: ["organization", "team", "membership"],
        }
      : {}),
  };
}

const text = v.pipe(v.string(), v.minLength(1), v.maxLength(1000));
const Conversion = v.object({
  id: v.pipe(v.number(), v.safeInteger(), v.minValue(1)),
  slug: text,
  html_url: v.pipe(text, v.url()),
  client_id: text,
  client_secret: text,
  webhook_secret: v.nullish(text),
});

/** Trades the code of a new App for the App, once. `refused`: GitHub does not know the code, or not any more. */
export async function fetchMadeApp(
  place: GitHubPlace,
  code: string,
): Promise<{ ok: MadeApp } | { refused: true } | Away> {
  const url = `${place.apiUrl}/app-manifests/${encodeURIComponent(code)}/conversions`;
  const answer = await askGitHub(url, { method: "POST", headers: { accept: "application/vnd.github+json" } });
  if ("away" in answer) return answer;
  if (answer.status === 404 || answer.status === 422) return { refused: true };
  const app = v.safeParse(Conversion, parseJson(answer.text));
  if (answer.status !== 201 || !app.success) return { away: `status ${answer.status}` };
  const { id, slug, html_url: pageUrl, client_id: clientId, client_secret: clientSecret } = app.output;
  return {
    ok: { id, slug, pageUrl, clientId, clientSecret, webhookSecret: app.output.webhook_secret ?? null },
  };
}
