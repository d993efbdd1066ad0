import { auditSubject } from "../audit.ts";
import { Hono, type Context } from "hono";
import * as v from "valibot";
import { storeGitHubApp, type GitHubPlace } from "../auth/github-app.ts";
import { createManifest, fetchMadeApp } from "../auth/github-manifest.ts";
import { checkEdge, countExact, requireAllowed } from "../auth/rate-limits.ts";
import { placeOf } from "../auth/request-place.ts";
import { isNavigation } from "../auth/request-source.ts";
import {
  createAppState,
  redeemAppState,
  redeemSetupCode,
  setupBrowser,
  setupStage,
  type SetupStage,
} from "../auth/setup.ts";
import { recordAudit } from "../db/audit.ts";
import { HubError } from "../errors.ts";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";
import { AdministratorStep, AppForm, CodeForm, ConfirmForm, type SetupProblem } from "../ui/setup.tsx";
import { readForm } from "./form.ts";
import { atGitHub } from "./refusal-page.ts";
import { log } from "../log.ts";

/** From the printed link to a GitHub App and the first administrator; nothing here exists once there are both. */
export const setupPages = new Hono<HubContext>();

const MAX_CODE = 100;
const Code = v.object({ code: v.pipe(v.string(), v.minLength(1), v.maxLength(MAX_CODE)) });
/** GitHub's own rule for logins, and a little more, as Enterprise Server has it. */
const Owner = v.object({
  step: v.literal("confirm"),
  organization: v.optional(
    v.pipe(v.string(), v.trim(), v.regex(/^(?:[A-Za-z0-9][A-Za-z0-9_-]{0,99})?$/)),
    "",
  ),
  public: v.optional(v.literal("yes")),
});
const Created = v.object({
  code: v.pipe(v.string(), v.regex(/^[\w-]{1,200}$/)),
  state: v.pipe(v.string(), v.regex(/^[\w-]{43}$/)),
});
const PROBLEMS = ["expired", "refused", "away", "login"] as const satisfies readonly SetupProblem[];

setupPages.get(routes.setup, async (c) => {
  const stage = await openStage(c);
  const browser = await setupBrowser(c.req.raw, c.env);
  if (browser === null) {
    const code = v.safeParse(Code, c.req.query());
    // What the code is worth shows when it is sent; looking at the page uses nothing up.
    if (code.success) return c.html(<CodeForm code={code.output.code} />);
    throw codeRefused();
  }
  if (stage.stage === "administrator") {
    const page = atGitHub(stage.app.pageUrl, stage.app);
    return c.html(
      <AdministratorStep installUrl={page === undefined ? undefined : `${page}/installations/new`} />,
    );
  }
  return appStage(c, stage.place, browser);
});

setupPages.post(routes.setup, async (c) => {
  await openStage(c);
  requireAllowed(await checkEdge(c.env.EDGE_SIGN_IN, c.req.raw));
  const form = v.safeParse(Code, await readForm(c));
  const cookie = form.success ? await redeemSetupCode(c.env, form.output.code) : null;
  if (cookie === null) {
    requireAllowed(await countExact(c.env, "failed-code", c.req.raw));
    throw codeRefused();
  }
  c.header("set-cookie", cookie);
  return c.redirect(routes.setup, 303);
});

/** GitHub sends the browser here with a code for the App it has made; the address is left at once. */
setupPages.get(routes.setupCreated, async (c) => {
  if (!isNavigation(c.req.raw)) throw new HubError("bad_request");
  const stage = await openStage(c);
  const browser = await setupBrowser(c.req.raw, c.env);
  if (browser === null) throw codeRefused();
  const query = v.safeParse(Created, c.req.query());
  if (stage.stage !== "app") return c.redirect(routes.setup);
  if (!query.success || !(await redeemAppState(c.env, query.output.state, browser)))
    return c.redirect(`${routes.setup}?problem=expired`);
  const made = await fetchMadeApp(stage.place, query.output.code);
  if ("refused" in made) return c.redirect(`${routes.setup}?problem=refused`);
  if ("away" in made) {
    log("github_unavailable", { reason: made.away });
    return c.redirect(`${routes.setup}?problem=away`);
  }
  if (await storeGitHubApp(c.env, made.ok, Date.now())) await auditApp(c, made.ok.slug, made.ok.id);
  return c.redirect(routes.setup);
});

type OpenStage = Extract<SetupStage, { stage: "app" | "administrator" }>;

/** Throws where setup is not open, to anybody. */
async function openStage(c: Context<HubContext>): Promise<OpenStage> {
  const stage = await setupStage(c.env);
  switch (stage.stage) {
    case "app":
    case "administrator":
      return stage;
    case "misconfigured":
      throw new HubError("misconfigured");
    case "off":
    case "done":
      throw new HubError("not_found", { link: { href: routes.dashboard, text: "Dashboard" } });
  }
}

async function appStage(c: Context<HubContext>, place: GitHubPlace, browser: string) {
  const query = c.req.query();
  const owner = v.safeParse(Owner, query);
  if (!owner.success) {
    const asked = PROBLEMS.find((one) => one === query["problem"]);
    const problem = query["step"] === undefined ? asked : "login";
    return c.html(<AppForm problem={problem} />);
  }
  const { organization, public: isPublic } = owner.output;
  const manifest = createManifest(c.env, { isPublic: isPublic === "yes" });
  const state = await createAppState(c.env, browser);
  const path =
    organization === ""
      ? "/settings/apps/new"
      : `/organizations/${encodeURIComponent(organization)}/settings/apps/new`;
  c.set("formTarget", new URL(place.url).origin);
  return c.html(
    <ConfirmForm
      action={`${place.url}${path}?state=${state}`}
      manifest={JSON.stringify(manifest)}
      name={manifest.name}
      organization={organization}
      isPublic={isPublic === "yes"}
      hasWebhooks={"hook_attributes" in manifest}
    />,
  );
}

async function auditApp(c: Context<HubContext>, slug: string, id: number): Promise<void> {
  const nobody = { userId: null, login: null };
  const from = placeOf(c.req.raw);
  await recordAudit(c.env.DB, {
    action: "app_configured",
    ...nobody,
    subject: auditSubject(slug, id),
    reason: "setup",
    from,
  });
}

function codeRefused(): HubError {
  return new HubError("code_expired", {
    message: "This page opens with the setup link that the hub prints when it starts; each link works once.",
  });
}
