/** Every route × method × {HTTP, upgrade} below an instance's prefix on the hub's host, by everybody who may not and by who may. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { foreignOrigins } from "../../../test/corpora/origins.ts";
import { HUB, signedIn } from "../../../test/hub.ts";
import { askPath, pathInstance, trustPath, type PathInstance } from "../../../test/path-viewer.ts";
import { ACCESS_COOKIE, ACCESS_MS, accessCookie, type Session } from "../../auth/access-cookie.ts";
import { RULES, type Rule } from "../../auth/rules.ts";
import { endSessions, SESSION_COOKIE } from "../../auth/session.ts";
import { issueInstanceToken } from "../../auth/token.ts";
import { signViewerCookie, VIEWER_COOKIE } from "../../auth/viewer.ts";
import { instanceRoutes, routes } from "../../routes.ts";

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];

const rules = RULES.filter(({ host }) => host === "path");
const viewerRules = rules.filter(({ who }) => who === "viewer");
const named = (all: readonly Rule[]) =>
  all.map((rule) => [`${rule.method} ${rule.path} (${rule.protocol})`, rule] as const);

let mine: PathInstance;
let asked: string[];

beforeAll(async () => {
  asked = [];
  mine = await pathInstance("ann", "matrix", {
    http(stream, { method }) {
      asked.push(method);
      stream.respond({ status: 200, headers: [["content-type", "text/plain"]] });
      stream.end();
    },
  });
});

interface Asked {
  method?: string;
  headers: Record<string, string>;
  origin?: string | null;
}

async function ask(rule: Rule, { method = rule.method, headers, origin = HUB }: Asked, label = mine.label) {
  const path = rule.path.replace(":id", label).replace("*", "some/page");
  const upgrade = rule.protocol === "websocket" ? { upgrade: "websocket" } : {};
  const all = new Headers({ accept: "application/json", ...headers, ...upgrade });
  all.set("origin", origin ?? "");
  const response = await askPath(path, { method, headers: all });
  response.webSocket?.accept();
  response.webSocket?.close();
  return response;
}

const codeOf = (response: Response) =>
  response.headers.get("x-orchestrator-error") ?? String(response.status);
const methodsOf = ({ method, protocol }: Rule) =>
  method === "ANY" ? METHODS : protocol === "http" && method === "GET" ? ["GET", "HEAD"] : [method];

const cookieOf = async (userId: string) => ({ cookie: (await signedIn(userId)).cookie });
const sessionIdIn = (cookie: string) => /session=([\w-]{16})\./.exec(cookie)?.[1] ?? "";
const only = (cookie: string, name: string) => ({
  cookie: cookie.split("; ").find((pair) => pair.startsWith(`${name}=`)) ?? "",
});

async function access(content: Partial<Session>, secret: Partial<typeof env> = {}) {
  const session: Session = {
    id: sessionIdIn((await cookieOf("ann")).cookie),
    userId: "ann",
    login: "ann",
    name: "ann",
    role: "member",
    until: Date.now() + ACCESS_MS,
    ...content,
  };
  return { cookie: (await accessCookie({ ...env, ...secret }, session)).split(";")[0] ?? "" };
}

/** Who may not, and how they are told. */
const OUT: Record<string, [come: () => Promise<Record<string, string>>, code: RegExp]> = {
  nobody: [async () => ({}), /^sign_in_required$/],
  "somebody with empty cookies": [
    async () => ({ cookie: `${SESSION_COOKIE}=; ${ACCESS_COOKIE}=` }),
    /^sign_in_required$/,
  ],
  "an access cookie signed elsewhere": [
    () => access({}, { HUB_SECRET: "a-secret-of-another-hub-with-more-than-43-characters" }),
    /^sign_in_required$/,
  ],
  "an old access cookie alone": [() => access({ until: Date.now() }), /^sign_in_required$/],
  "the cookie of an instance's own host in its place": [
    async () => {
      const { cookie } = await cookieOf("ann");
      const until = Date.now() + ACCESS_MS;
      const content = { userId: "ann", login: "ann", sessionId: sessionIdIn(cookie), showsMark: true };
      const value = await signViewerCookie(env, { ...content, label: mine.label, until });
      return { cookie: `${ACCESS_COOKIE}=${value}; ${VIEWER_COOKIE}=${value}` };
    },
    /^sign_in_required$/,
  ],
  "an ended sign-in, with a cookie that is no longer fresh": [
    async () => {
      const { cookie } = await cookieOf("ann");
      await endSessions(env, "ann", [sessionIdIn(cookie)]);
      return only(cookie, SESSION_COOKIE);
    },
    /^sign_in_required$/,
  ],
  "an ended sign-in, with a fresh cookie": [
    async () => {
      const { cookie } = await cookieOf("ann");
      await endSessions(env, "ann", [sessionIdIn(cookie)]);
      return only(cookie, ACCESS_COOKIE);
    },
    /^sign_in_required$/,
  ],
  "a stranger": [() => cookieOf("eve"), /^not_found$/],
  "an administrator": [async () => ({ cookie: (await signedIn("root", "admin")).cookie }), /^not_found$/],
  "an administrator's token": [
    async () => {
      const token = await issueInstanceToken(env.DB, {
        userId: "ann",
        name: "matrix",
        scopes: ["admin", "connect"],
      });
      return { authorization: `Bearer ${token.text}` };
    },
    /^sign_in_required$/,
  ],
};

/** What shows nothing of the instance: that it is not there, and where the hub's own pages are. */
const HARMLESS: Record<string, RegExp> = {
  [routes.clientProxy(":id") + instanceRoutes.ready]: /^503$/,
  [routes.clientProxy(":id") + instanceRoutes.mark]: /^200|404$/,
  [routes.clientProxy(":id") + instanceRoutes.switcher]: /^302$/,
  [routes.clientProxy(":id") + instanceRoutes.dashboard]: /^302$/,
};

describe.each(Object.entries(OUT))("%s", (_who, [come, code]) => {
  test.each(named(viewerRules))("is not let in to %s", async (_name, rule) => {
    for (const method of methodsOf(rule)) {
      const before = asked.length;
      const got = codeOf(await ask(rule, { method, headers: await come() }));
      if (!HARMLESS[rule.path]?.test(got))
        expect([method, got]).toEqual([method, expect.stringMatching(code)]);
      expect(asked.length).toBe(before);
    }
  });
});

describe("the owner", () => {
  test.each(named(viewerRules))("is let in to %s", async (_name, rule) => {
    const { cookie } = mine.person;
    for (const method of methodsOf(rule)) {
      const { status } = await ask(rule, { method, headers: { cookie } });
      // The mark's script is not built for these tests.
      expect([method, status]).toEqual([
        method,
        expect.toSatisfy((one) => one < 400 || rule.path.endsWith("mark.js")),
      ]);
    }
  });

  test.each(named(viewerRules.filter(({ path }) => !path.includes(instanceRoutes.prefix))))(
    "does not get at %s before they have allowed it, nor at an instance that is not theirs",
    async (_name, rule) => {
      const { cookie } = mine.person;
      await trustPath("ann", mine.label, false);
      for (const method of methodsOf(rule)) {
        const before = asked.length;
        expect(codeOf(await ask(rule, { method, headers: { cookie } }))).toBe("path_mode_not_allowed");
        expect(codeOf(await ask(rule, { method, headers: { cookie } }, "nobody-abcdefghij"))).toBe(
          "not_found",
        );
        expect(asked.length).toBe(before);
      }
      await trustPath("ann", mine.label, true);
    },
  );

  test("finds nothing else of the hub's there", async () => {
    for (const path of [
      "/.orchestrator/other",
      "/.orchestrator/",
      "/.orchestrator/enter",
      "/.orchestrator/assets/dev/app.css",
    ])
      expect([path, (await mine.look(path)).status]).toEqual([path, 404]);
    expect((await mine.look("/.orchestrator/ready", { method: "POST" })).status).toBe(404);
  });
});

describe("another site", () => {
  test.each(named(rules.filter(({ who }) => who === "viewer")))(
    "cannot use %s in a browser that is signed in",
    async (_name, rule) => {
      const { cookie } = mine.person;
      const changing = methodsOf(rule).filter(
        (method) => rule.protocol === "websocket" || !["GET", "HEAD"].includes(method),
      );
      const before = asked.length;
      for (const method of changing) {
        for (const origin of [null, ...foreignOrigins(HUB).map(([, value]) => value)])
          expect([method, origin, codeOf(await ask(rule, { method, origin, headers: { cookie } }))]).toEqual([
            method,
            origin,
            "origin_refused",
          ]);
        if (method === "OPTIONS") continue;
        for (const site of ["same-site", "cross-site", "none"]) {
          const headers = { cookie, "sec-fetch-site": site };
          expect([method, site, codeOf(await ask(rule, { method, headers }))]).toEqual([
            method,
            site,
            "origin_refused",
          ]);
        }
      }
      // Nor read it: as an image, a script, a fetch or a frame of its own.
      if (rule.protocol === "http")
        for (const [mode, dest] of [
          ["no-cors", "image"],
          ["no-cors", "script"],
          ["cors", "empty"],
          ["navigate", "iframe"],
        ] as const)
          for (const site of ["same-site", "cross-site"]) {
            const headers = {
              cookie,
              "sec-fetch-site": site,
              "sec-fetch-mode": mode,
              "sec-fetch-dest": dest,
            };
            const got = codeOf(await ask(rule, { method: "GET", origin: null, headers }));
            expect([mode, dest, site, got]).toEqual([mode, dest, site, "origin_refused"]);
          }
      expect(asked.length).toBe(before);
    },
  );
});
