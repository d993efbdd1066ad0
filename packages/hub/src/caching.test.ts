/** Nothing shared may keep what was meant for one person, whatever the path looks like. */
import { env, exports } from "cloudflare:workers";
import { beforeAll, expect, test } from "vitest";
import { issueInstanceToken } from "./auth/token.ts";
import { signViewerCookie, VIEWER_COOKIE } from "./auth/viewer.ts";
import { instanceLabel } from "./origins.ts";
import { instanceRoutes, routes } from "./routes.ts";
import { STATIC_DISGUISES } from "../test/corpora/cache-deception.ts";
import { connectFake } from "../test/fake-connector.ts";
import { HUB, signedIn, type Person } from "../test/hub.ts";

const host = new URL(HUB).host;

let person: Person;
let instanceHost: string;
let viewerCookie: string;

beforeAll(async () => {
  person = await signedIn("github:5");
  const { text } = await issueInstanceToken(env.DB, { userId: person.userId, name: "laptop" });
  await connectFake(text, "laptop", {
    http: (stream) => {
      stream.respond({ status: 200, headers: [["cache-control", "public, s-maxage=600, max-age=600"]] });
      stream.write(new TextEncoder().encode("mine"));
      stream.end();
    },
  });
  const label = await instanceLabel(person.userId, "laptop");
  instanceHost = `${label}.${host}`;
  const viewer = {
    userId: person.userId,
    login: "ann",
    sessionId: "session",
    label,
    showsMark: true,
    until: Date.now() + 300_000,
  };
  viewerCookie = `${VIEWER_COOKIE}=${await signViewerCookie(env, viewer)}`;
});

function get(onHost: string, path: string, cookie: string): Promise<Response> {
  const headers = { host: onHost, cookie, accept: "text/html,text/css,*/*" };
  return exports.default.fetch(new Request(`http://${onHost}${path}`, { headers, redirect: "manual" }));
}

const pages = [routes.dashboard, routes.tokens, routes.sessions, routes.apiTokens, routes.client("laptop")];

test.each(STATIC_DISGUISES)(
  "a page of the hub with %j behind its path is stored by nobody",
  async (disguise) => {
    for (const page of pages) {
      const answer = await get(host, `${page}${disguise}`, person.cookie);
      await answer.text();
      expect([page, answer.headers.get("cache-control")]).toEqual([page, "no-store"]);
    }
  },
);

test.each(STATIC_DISGUISES)(
  "an instance's page with %j behind its path is its viewer's alone",
  async (disguise) => {
    const answer = await get(instanceHost, `/page${disguise}`, viewerCookie);
    expect([answer.status, await answer.text()]).toEqual([200, "mine"]);
    expect(answer.headers.get("cache-control")).toBe("private, max-age=600");
  },
);

test("the hub's own static files are all that may be shared, and none of them is a page", async () => {
  for (const page of [routes.dashboard, routes.tokens]) {
    for (const way of [`${instanceRoutes.assets}..%2f..${page}`, `${instanceRoutes.assets}${page}`]) {
      const answer = await get(host, way, person.cookie);
      expect(await answer.text()).not.toContain("Sign out");
      expect(answer.headers.get("cache-control")).toBe("no-store");
    }
  }
});
