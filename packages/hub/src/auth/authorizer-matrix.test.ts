/**
 * Every route × method × {HTTP, upgrade}, asked for by everybody who may not, and by those who may. Generated from the
 * authorizer's table: a route that stands there and nowhere else, or nowhere there, fails.
 */
import { createExecutionContext } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { foreignOrigins } from "../../test/corpora/origins.ts";
import { connectFake } from "../../test/fake-connector.ts";
import { admit, connected, cookiePair, HUB } from "../../test/hub.ts";
import { SUBPROTOCOL } from "@ai-orchestrator/protocol";
import { app } from "../app.ts";
import { upsertUser } from "../db/users.ts";
import { instanceLabel } from "../origins.ts";
import { instanceRoutes, routes } from "../routes.ts";
import { ACCESS_COOKIE, accessCookie } from "./access-cookie.ts";
import type { Memberships, Role } from "./policy.ts";
import { RULES, type Rule } from "./rules.ts";
import { ABSOLUTE_MS, ACCESS_MS, endSessions, IDLE_MS, SESSION_COOKIE, signIn } from "./session.ts";
import { issueInstanceToken, type Scope } from "./token.ts";
import { signViewerCookie, VIEWER_COOKIE } from "./viewer.ts";

/** Answered before the app, by the Worker itself. */
const BY_WORKER = [`GET ${routes.connect}`, `GET ${routes.pending}`];

const METHODS = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND"];
const PROTOCOLS = ["http", "websocket"] as const;

const keyOf = ({ method, path }: { method: string; path: string }) => `${method} ${path}`;
const hubRules = RULES.filter((rule) => rule.host === "hub");
const appRules = hubRules.filter((rule) => !BY_WORKER.includes(keyOf(rule)));
const bySession = appRules.filter(({ who }) => who === "signed-in" || who === "admin");
const named = (rules: readonly Rule[]) =>
  rules.map((rule) => [`${rule.method} ${rule.path} (${rule.protocol})`, rule] as const);

/** What stands on the owner's pages and on nobody else's. */
const PROJECT = "a-project-of-ann";
const TOKEN_NAME = "a-token-of-ann";

beforeAll(async () => {
  Object.assign(env, { GITHUB_SIGN_IN: "enabled" });
  for (const id of ["ann", "eve", "demoted"]) await addPerson(id);
  await addPerson("root", "admin");
  await newInstance("laptop");
  await issueInstanceToken(env.DB, { userId: "ann", name: TOKEN_NAME });
  const asks = { code: "WDJB-MJHT", hostname: "host", project: PROJECT, since: 0, until: Infinity };
  await env.USER_HUB.getByName("ann").pairingAsks(asks);
});

/** An instance of the owner's. */
async function newInstance(clientId: string): Promise<string> {
  const metadata = { hostname: "host", project: `/home/ann/${PROJECT}`, platform: "linux" };
  await env.USER_HUB.getByName("ann").instanceConnected(connected(clientId, { metadata }));
  return clientId;
}

const GITHUB_IDS: Record<string, number> = { ann: 1, eve: 2, root: 3, demoted: 4 };

/** Somebody whom the policy lets in, whatever administrators' routes change about it here. */
async function addPerson(id: string, role: Role = "member"): Promise<void> {
  await upsertUser(env.DB, { id, login: id, name: id });
  await admit(id, role);
  const userId = GITHUB_IDS[id] ?? 0;
  await env.DB.prepare("INSERT OR REPLACE INTO allowed_entities VALUES ('user', ?, ?, ?, NULL, 0)")
    .bind(userId, id, role)
    .run();
  const memberships: Memberships = { userId, login: id, of: [], checkedAt: Date.now() };
  await env.DB.prepare("UPDATE admissions SET memberships = ? WHERE user_id = ?")
    .bind(JSON.stringify(memberships), id)
    .run();
}

// ── Requests ──

interface Asked {
  path: string;
  method?: string;
  protocol?: Rule["protocol"];
  headers?: Record<string, string>;
  body?: string;
  /** Default: the hub's own. */
  origin?: string | null;
}

/** As a program or a page that fetches: refusals come as JSON, whose code says why. */
const ASKS_JSON = { accept: "application/json" };
const OPENS_PAGE = { accept: "text/html" };

function ask({ path, method = "GET", protocol = "http", body, origin = HUB, ...asked }: Asked) {
  const headers = new Headers({ host: new URL(HUB).host, ...ASKS_JSON, ...asked.headers });
  if (origin !== null) headers.set("origin", origin);
  if (protocol === "websocket") headers.set("upgrade", "websocket");
  const init: RequestInit = { method, headers, redirect: "manual", ...(body === undefined ? {} : { body }) };
  if (protocol === "http" || method === "GET") return exports.default.fetch(HUB + path, init);
  // On the way to a Worker every upgrade becomes a GET.
  return app.fetch(new Request(HUB + path, init), env, createExecutionContext());
}

/** The code of an error, or the status of anything else; a way to the sign-in counts as its code. */
async function outcome(response: Response): Promise<string> {
  if (response.webSocket) response.webSocket.accept();
  if (response.headers.get("location")?.startsWith(`${routes.signIn}?`)) return "sign_in_required";
  if (response.status < 400) return String(response.status);
  const body: unknown = await response.json().catch(() => ({}));
  const { error } = body as { error?: { code?: string } };
  return error?.code ?? String(response.status);
}

const result = async (asked: Asked) => outcome(await ask(asked));

/** A rule's path with something of the owner's in place of its parameters, and what its handler needs. */
async function sample({ path, method, protocol }: Rule): Promise<Asked> {
  const value = await PARAMETERS[path]?.();
  const isApi = path.startsWith("/api/");
  const filled = value === undefined ? path : path.replace(/:.+?(?=\/(?!:)|$)/, value);
  const asked = { path: filled.replace("*", "dev/app.css"), method, protocol };
  // Codes for instances are for who opens a page.
  const headers: Record<string, string> = path === routes.open(":label") ? OPENS_PAGE : {};
  if (method === "GET") return { ...asked, headers };
  const type = isApi ? "application/json" : "application/x-www-form-urlencoded";
  return { ...asked, headers: { "content-type": type }, body: BODIES[path] ?? "name=matrix" };
}

const BODIES: Record<string, string> = {
  [routes.clientPath(":id")]: "path=allow",
  [routes.apiTokens]: `{"name":"matrix"}`,
  [routes.rotateApiToken(":id")]: "{}",
  [routes.apiAccess]: "{}",
  [routes.approvePairing]: "code=WDJB-MJHT",
  [routes.denyPairing]: "code=WDJB-MJHT",
};

const newToken = async (userId = "ann", scopes: Scope[] = ["connect"]) =>
  issueInstanceToken(env.DB, { userId, name: "matrix", scopes });
const newTokenId = async () => (await newToken()).row.id;

const PARAMETERS: Record<string, () => Promise<string>> = {
  [routes.client(":id")]: async () => "laptop",
  [routes.clientDetails(":id")]: async () => "laptop",
  [routes.clientReport(":id")]: async () => "laptop",
  [routes.disconnectClient(":id")]: async () => "laptop",
  [routes.letClientBack(":id")]: async () => "laptop",
  [routes.refreshClient(":id")]: async () => "laptop",
  [routes.renameClient(":id")]: async () => "laptop",
  [routes.markClientSeen(":id")]: async () => "laptop",
  [routes.clientPath(":id")]: async () => "laptop",
  [routes.clientSocketInfo(":id")]: async () => "laptop",
  // Forgotten once, it is not there for the next test.
  [routes.forgetClient(":id")]: () => newInstance("forgettable"),
  [routes.open(":label")]: async () => "laptop-abcdefghij",
  [routes.revokeToken(":id")]: newTokenId,
  [routes.rotateToken(":id")]: newTokenId,
  [routes.apiToken(":id")]: newTokenId,
  [routes.rotateApiToken(":id")]: newTokenId,
  [routes.endSession(":id")]: async () => (await browser("ann")).sessionId,
  [routes.apiAccessEntity(":kind", ":id")]: async () => {
    await env.DB.prepare(
      "INSERT OR REPLACE INTO allowed_entities VALUES ('user', 42, 'x', 'member', NULL, 0)",
    ).run();
    return "user/42";
  },
};

// ── People ──

interface Browser {
  sessionId: string;
  headers: { cookie: string };
}

async function browser(userId: string): Promise<Browser> {
  const cookies = (await signIn(new Request(HUB), env, userId)).map(cookiePair);
  const sessionId = /=([\w-]{16})\./.exec(cookies[0] ?? "")?.[1] ?? "";
  return { sessionId, headers: { cookie: cookies.join("; ") } };
}

/** A browser of ann's with its access cookie issued at another time. */
async function browserWithAccess(issuedAt: number): Promise<Browser> {
  const { sessionId, headers } = await browser("ann");
  const until = issuedAt + ACCESS_MS;
  const session = { id: sessionId, userId: "ann", login: "ann", name: "ann", role: "member", until } as const;
  const access = cookiePair(await accessCookie(env, session));
  return { sessionId, headers: { cookie: `${headers.cookie.split("; ")[0]}; ${access}` } };
}

async function set(sessionId: string, column: "last_used_at" | "expires_at", value: number): Promise<void> {
  await env.DB.prepare(`UPDATE sessions SET ${column} = ? WHERE id = ?`).bind(value, sessionId).run();
}

const onlyCookie = ({ headers }: Browser, name: string) => ({
  cookie: headers.cookie.split("; ").find((pair) => pair.startsWith(`${name}=`)) ?? "",
});

/** Who is nobody to the hub, each with the headers they come with. */
const NOBODIES: Record<string, () => Promise<Record<string, string>>> = {
  nobody: async () => ({}),
  "somebody with empty cookies": async () => ({ cookie: `${SESSION_COOKIE}=; ${ACCESS_COOKIE}=` }),
  "somebody revoked, with cookies that are fresh otherwise": async () => {
    const { sessionId, headers } = await browser("ann");
    await endSessions(env, "ann", [sessionId]);
    return headers;
  },
  "somebody idle for too long": async () => {
    const { sessionId, headers } = await browserWithAccess(Date.now() - ACCESS_MS);
    await set(sessionId, "last_used_at", Date.now() - IDLE_MS);
    return headers;
  },
  "somebody signed in too long ago": async () => {
    const { sessionId, headers } = await browserWithAccess(Date.now() - ACCESS_MS);
    await set(sessionId, "expires_at", Date.now());
    return headers;
  },
  "somebody with an old access cookie alone": async () =>
    onlyCookie(await browserWithAccess(Date.now() - ACCESS_MS), ACCESS_COOKIE),
  "somebody with an access cookie from the future alone": async () =>
    onlyCookie(await browserWithAccess(Date.now() + ABSOLUTE_MS), ACCESS_COOKIE),
  "somebody with a cookie signed elsewhere": async () => {
    const elsewhere = { ...env, HUB_SECRET: "a-secret-of-another-hub-with-more-than-43-characters" };
    const { sessionId } = await browser("root");
    const until = Date.now() + ACCESS_MS;
    const root = {
      id: sessionId,
      userId: "root",
      login: "root",
      name: "root",
      role: "admin",
      until,
    } as const;
    return { cookie: cookiePair(await accessCookie(elsewhere, root)) };
  },
  "somebody who knows the id of a sign-in": async () => {
    const { sessionId } = await browser("root");
    return { cookie: `${SESSION_COOKIE}=${sessionId}.${"A".repeat(43)}` };
  },
  "somebody with a viewer's cookie": async () => {
    const { sessionId } = await browser("root");
    const content = {
      userId: "root",
      login: "root",
      sessionId,
      showsMark: true,
      label: "laptop-abcdefghij",
      until: Date.now() + ACCESS_MS,
    };
    return { cookie: `${ACCESS_COOKIE}=${await signViewerCookie(env, content)}` };
  },
};

const REFUSED = ["sign_in_required", "admin_required", "origin_refused", "not_found", "not_allowed"];

// ── The table and the routes ──

describe("the table", () => {
  const registered = app.routes.filter(({ method }) => method !== "ALL").map(keyOf);

  test("has a rule for every route", () => {
    const table = new Set(hubRules.map(keyOf));
    expect(registered.filter((route) => !table.has(route))).toEqual([]);
  });

  test("has no rule without its route", () => {
    const known = new Set([...registered, ...BY_WORKER]);
    expect(hubRules.map(keyOf).filter((rule) => !known.has(rule))).toEqual([]);
  });

  test("is not passed by routes for all methods, which are middleware only", () => {
    const all = app.routes.filter(({ method }) => method === "ALL");
    expect(all.length).toBeGreaterThan(0);
    expect(all.filter(({ path }) => path !== "/*" && !path.endsWith("/*"))).toEqual([]);
  });

  test("says each thing once", () => {
    const rules = RULES.map((rule) => `${rule.host} ${rule.protocol} ${keyOf(rule)}`);
    expect(new Set(rules).size).toBe(rules.length);
  });

  test("lets nobody change anything on the strength of the access cookie alone", () => {
    for (const rule of RULES.filter(({ proof }) => proof === "cookie"))
      expect([rule.method, rule.protocol, rule.who]).toEqual(["GET", "http", "signed-in"]);
  });
});

// ── Who may not ──

describe.each(Object.entries(NOBODIES))("%s", (_who, come) => {
  test.each(named(bySession))("is not let in to %s", async (_name, rule) => {
    const asked = await sample(rule);
    for (const accepts of [ASKS_JSON, OPENS_PAGE]) {
      const isProgram = accepts === ASKS_JSON || asked.headers === undefined;
      const headers = { ...asked.headers, ...accepts, ...(await come()) };
      const response = await ask({ ...asked, headers });
      if (isProgram || rule.method !== "GET" || rule.protocol === "websocket") {
        expect([response.status, response.webSocket]).toEqual([401, null]);
      } else {
        const location = response.headers.get("location") ?? "";
        expect([response.status, location.split("?")[0]]).toEqual([302, routes.signIn]);
      }
    }
  });

  test("learns of no other page whether it exists", async () => {
    const headers = await come();
    for (const path of ["/nothing", "/api/nothing", "/dashboard/", "//dashboard", "/DASHBOARD"])
      expect([path, await result({ path, headers })]).toEqual([path, "sign_in_required"]);
  });
});

describe("a stranger", () => {
  const own = bySession.filter((rule) => rule.own === true);
  const ownNamed = own.filter(({ path }) => path in PARAMETERS);
  const ownUnnamed = own.filter(({ path }) => !(path in PARAMETERS));

  test.each(named(ownNamed))(
    "does not get at what is another's by %s; its owner does",
    async (_name, rule) => {
      const asked = await sample(rule);
      const stranger = { ...asked.headers, ...ASKS_JSON, ...(await browser("eve")).headers };
      // A page's own refusal comes after the question whether it is opened as one.
      const refused = await result({ ...asked, headers: stranger });
      expect(REFUSED.slice(2)).toContain(refused);
      const owner = { ...asked.headers, ...(await browser("ann")).headers };
      expect(REFUSED).not.toContain(await result({ ...asked, headers: owner }));
    },
  );

  test.each(named(ownUnnamed.filter(({ method, protocol }) => method === "GET" && protocol === "http")))(
    "sees nothing of another's at %s; its owner does",
    async (_name, rule) => {
      const asked = await sample(rule);
      const [ann, eve] = [await browser("ann"), await browser("eve")];
      const text = async ({ headers }: Browser) =>
        (await ask({ ...asked, headers: { ...ASKS_JSON, ...headers } })).text();
      const marks = [PROJECT, TOKEN_NAME, ann.sessionId];
      const seenBy = async (person: Browser) => {
        const page = await text(person);
        return marks.filter((mark) => page.includes(mark));
      };
      expect(await seenBy(eve)).toEqual([]);
      expect(await seenBy(ann)).not.toEqual([]);
    },
  );

  test.each(named(ownUnnamed.filter(({ method }) => method !== "GET")))(
    "changes nothing of another's by %s",
    async (_name, rule) => {
      const before = await belongings("ann");
      const asked = await sample(rule);
      const headers = { ...asked.headers, ...(await browser("eve")).headers };
      expect(REFUSED).not.toContain(await result({ ...asked, headers }));
      expect(await belongings("ann")).toEqual(before);
    },
  );

  test("hears nothing of another's on their dashboard's socket; its owner does", async () => {
    const firstWord = async (userId: string) => {
      const { headers } = await browser(userId);
      const { webSocket } = await ask({ path: routes.dashboardSocket, protocol: "websocket", headers });
      if (!webSocket) throw new Error("no socket");
      const word = new Promise<string>((resolve) => {
        webSocket.addEventListener("message", ({ data }) => {
          resolve(String(data));
        });
      });
      webSocket.accept();
      return word;
    };
    expect(await firstWord("eve")).not.toContain(PROJECT);
    expect(await firstWord("ann")).toContain(PROJECT);
  });
});

/** What D1 holds of a person's. */
async function belongings(userId: string): Promise<unknown> {
  const rows = async (table: string) => {
    const statement = env.DB.prepare(`SELECT * FROM ${table} WHERE user_id = ? ORDER BY 1`).bind(userId);
    return (await statement.all()).results;
  };
  return { sessions: await rows("sessions"), tokens: await rows("tokens") };
}

describe("administrators' pages", () => {
  const rules = bySession.filter(({ who }) => who === "admin");
  const api = rules.filter(({ path }) => path.startsWith("/api/"));
  const bearer = async (userId: string, scopes: Scope[]) => ({
    authorization: `Bearer ${(await newToken(userId, scopes)).text}`,
  });

  test.each(named(rules))("%s is for administrators and for no member", async (_name, rule) => {
    const asked = await sample(rule);
    const member = { ...asked.headers, ...(await browser("ann")).headers };
    expect(await result({ ...asked, headers: member })).toBe("admin_required");
    const admin = { ...asked.headers, ...(await browser("root")).headers };
    expect(REFUSED).not.toContain(await result({ ...asked, headers: admin }));
  });

  test.each(named(rules))("%s believes the database, not the cookie, about the role", async (_name, rule) => {
    const asked = await sample(rule);
    await addPerson("demoted", "admin");
    const { headers } = await browser("demoted");
    await addPerson("demoted", "member");
    expect(await result({ ...asked, headers: { ...asked.headers, ...headers } })).toBe("admin_required");
  });

  test.each(named(api))("%s takes an administrator's token, from wherever", async (_name, rule) => {
    const asked = await sample(rule);
    const headers = { ...asked.headers, ...(await bearer("root", ["admin"])) };
    expect(REFUSED).not.toContain(await result({ ...asked, headers, origin: null }));
  });

  test.each(named(api))("%s takes no other token", async (_name, rule) => {
    const asked = await sample(rule);
    const by = async (headers: Record<string, string>) =>
      result({ ...asked, origin: null, headers: { ...asked.headers, ...headers } });
    expect(await by(await bearer("root", ["connect"]))).toBe("admin_required");
    // The token of somebody who was an administrator when they made it.
    expect(await by(await bearer("ann", ["admin"]))).toBe("admin_required");
    const { text, row } = await newToken("root", ["admin"]);
    await env.DB.prepare("UPDATE tokens SET revoked_at = 1 WHERE id = ?").bind(row.id).run();
    expect(["sign_in_required", "too_many_requests"]).toContain(
      await by({ authorization: `Bearer ${text}` }),
    );
    const expired = await issueInstanceToken(env.DB, {
      userId: "root",
      name: "matrix",
      scopes: ["admin"],
      expiresAt: Date.now(),
    });
    expect(["sign_in_required", "too_many_requests"]).toContain(
      await by({ authorization: `Bearer ${expired.text}` }),
    );
  });

  test.each(named(api))("%s takes no token from a browser", async (_name, rule) => {
    const asked = await sample(rule);
    const { authorization } = await bearer("root", ["admin"]);
    const member = { ...asked.headers, authorization, ...(await browser("ann")).headers };
    expect(await result({ ...asked, headers: member })).toBe("admin_required");
    const planted = { ...asked.headers, authorization, cookie: `${ACCESS_COOKIE}=x` };
    expect(await result({ ...asked, headers: planted })).toBe("sign_in_required");
  });

  test.each(named(bySession.filter((rule) => !api.includes(rule))))(
    "%s takes no token at all",
    async (_name, rule) => {
      const asked = await sample(rule);
      const headers = { ...asked.headers, ...ASKS_JSON, ...(await bearer("root", ["admin", "connect"])) };
      expect(await result({ ...asked, headers })).toBe("sign_in_required");
    },
  );
});

// ── Who may ──

describe("an owner", () => {
  test.each(named(bySession.filter(({ who }) => who === "signed-in")))(
    "is let in to %s",
    async (_name, rule) => {
      const asked = await sample(rule);
      const headers = { ...asked.headers, ...(await browser("ann")).headers };
      const got = await result({ ...asked, headers });
      expect(REFUSED).not.toContain(got);
      expect(got).not.toMatch(/^5|internal/);
    },
  );
});

describe("everybody", () => {
  test.each(named(appRules.filter(({ who }) => who === "anyone")))("is let in to %s", async (_name, rule) => {
    for (const headers of [{}, (await browser("ann")).headers]) {
      const got = await result({ ...(await sample(rule)), headers });
      expect(["sign_in_required", "admin_required", "origin_refused"]).not.toContain(got);
    }
  });

  test.each(named(appRules.filter(({ who }) => ["same-browser", "setup-code", "github"].includes(who))))(
    "is refused by the handler of %s without what it asks for",
    async (_name, rule) => {
      const asked = await sample(rule);
      for (const headers of [{}, (await browser("ann")).headers, (await browser("root")).headers]) {
        const response = await ask({ ...asked, headers: { ...asked.headers, ...headers } });
        expect(response.status).toBeGreaterThanOrEqual(400);
        expect(response.status).toBeLessThan(500);
      }
    },
  );
});

// ── What has no rule ──

describe("a method or protocol that is not in the table", () => {
  const paths = [...new Set(appRules.map(({ path }) => path))];
  const isListed = (path: string, method: string, protocol: Rule["protocol"]) => {
    const asGet = method === "HEAD" && protocol === "http" ? "GET" : method;
    return appRules.some((rule) => rule.path === path && rule.method === asGet && rule.protocol === protocol);
  };

  test.each(paths)("is refused at %s, whoever asks", async (path) => {
    const [ann, root] = [await browser("ann"), await browser("root")];
    const { path: filled } = await sample({
      host: "hub",
      path,
      method: "GET",
      protocol: "http",
      who: "anyone",
    });
    for (const protocol of PROTOCOLS) {
      for (const method of METHODS.filter((one) => !isListed(path, one, protocol))) {
        const asked = { path: filled, method, protocol };
        const status = async (headers: Record<string, string>) => (await ask({ ...asked, headers })).status;
        const got = [await status({}), await status(ann.headers), await status(root.headers)];
        expect([method, protocol, ...got]).toEqual([method, protocol, 401, 404, 404]);
      }
    }
  });
});

// ── Where it comes from ──

describe("another site", () => {
  const changing = appRules.filter(
    ({ method, protocol, who }) => (method !== "GET" || protocol === "websocket") && who !== "github",
  );

  test.each(named(changing))("cannot use %s in a browser that is signed in", async (_name, rule) => {
    const asked = await sample(rule);
    const [before, person] = [await belongings("ann"), rule.who === "admin" ? "root" : "ann"];
    const { sessionId, headers } = await browser(person);
    const all = { ...asked.headers, ...headers };
    for (const origin of [null, ...foreignOrigins(HUB).map(([, value]) => value)])
      expect([origin, await result({ ...asked, origin, headers: all })]).toEqual([origin, "origin_refused"]);
    for (const site of ["same-site", "cross-site", "none"])
      expect(await result({ ...asked, headers: { ...all, "sec-fetch-site": site } })).toBe("origin_refused");
    await endSessions(env, person, [sessionId]);
    expect(await belongings("ann")).toEqual(before);
  });
});

describe("reading", () => {
  const tables = ["users", "sessions", "tokens", "allowed_entities", "github_app", "admissions", "audit_log"];
  const dump = async () => {
    const select = tables.map((table) => env.DB.prepare(`SELECT * FROM ${table} ORDER BY 1, 2`));
    return (await env.DB.batch(select)).map(({ results }) => results);
  };
  const readable = appRules.filter(({ method, protocol }) => method === "GET" && protocol === "http");

  test.each(named(readable))("%s changes nothing, with HEAD neither", async (_name, rule) => {
    const asked = await sample(rule);
    const { headers } = await browser(rule.who === "admin" ? "root" : "ann");
    const before = await dump();
    for (const method of ["GET", "HEAD"]) {
      // As from a link on another site, or an image.
      for (const origin of [HUB, null]) {
        const response = await ask({ ...asked, method, origin, headers: { ...asked.headers, ...headers } });
        await response.arrayBuffer();
      }
    }
    expect(await dump()).toEqual(before);
  });
});

// ── Connectors ──

describe("a connector", () => {
  const dial = async (headers: Record<string, string>, more: Partial<Asked> = {}) => {
    const asked = { path: `${routes.connect}?client_id=c`, protocol: "websocket", origin: null } as const;
    return ask({ ...asked, headers: { "sec-websocket-protocol": SUBPROTOCOL, ...headers }, ...more });
  };
  const bearer = (text: string) => ({ authorization: `Bearer ${text}` });

  test("connects with an instance's token", async () => {
    const response = await dial(bearer((await newToken()).text));
    expect(response.status).toBe(101);
    response.webSocket?.accept();
    response.webSocket?.close();
  });

  test("does not connect with anything else", async () => {
    const revoked = await newToken();
    await env.DB.prepare("UPDATE tokens SET revoked_at = 1 WHERE id = ?").bind(revoked.row.id).run();
    const name = "matrix";
    const expired = await issueInstanceToken(env.DB, { userId: "ann", name, expiresAt: Date.now() });
    const attempts = [
      {},
      (await browser("ann")).headers,
      (await browser("root")).headers,
      bearer(revoked.text),
      bearer(expired.text),
      bearer((await newToken("root", ["admin"])).text),
      bearer(`${(await newToken()).text.slice(0, -1)}.`),
      { authorization: (await newToken()).text },
    ];
    for (const headers of attempts) {
      const { status, webSocket } = await dial(headers);
      expect([401, 429]).toContain(status);
      expect(webSocket).toBeNull();
    }
  });

  test("connects by an upgrade and by nothing else", async () => {
    const headers = bearer((await newToken()).text);
    for (const method of METHODS) {
      const { status } = await dial(headers, { protocol: "http", method });
      expect([method, status]).toEqual([method, 426]);
    }
  });
});

// ── Instances' hosts ──

describe("at an instance's host", () => {
  let label: string;
  const asOf = async (content: Partial<Parameters<typeof signViewerCookie>[1]>) => ({
    cookie: `${VIEWER_COOKIE}=${await signViewerCookie(env, {
      userId: "ann",
      login: "ann",
      sessionId: (await browser("ann")).sessionId,
      showsMark: true,
      label,
      until: Date.now() + ACCESS_MS,
      ...content,
    })}`,
  });

  beforeAll(async () => {
    label = await instanceLabel("ann", "matrix");
    await connectFake((await newToken()).text, "matrix");
  });

  const askInstance = async (asked: Asked): Promise<Response> => {
    const origin = `http://${label}.hub.localhost:8787`;
    const headers = new Headers({ host: new URL(origin).host, origin, ...ASKS_JSON, ...asked.headers });
    if (asked.protocol === "websocket") headers.set("upgrade", "websocket");
    const { path, method = "GET" } = asked;
    const response = await exports.default.fetch(origin + path, { method, headers, redirect: "manual" });
    if (response.webSocket) response.webSocket.accept();
    return response;
  };

  const OUT: Record<string, () => Promise<Record<string, string>>> = {
    nobody: async () => ({}),
    "the owner's browser at the hub": async () => (await browser("ann")).headers,
    "a cookie of another instance": () => asOf({ label: "other-abcdefghij" }),
    "a cookie signed elsewhere": async () => {
      const elsewhere = { HUB_SECRET: "a-secret-of-another-hub-with-more-than-43-characters" };
      const who = { userId: "ann", login: "ann", sessionId: "s", showsMark: true };
      const content = { ...who, label, until: Date.now() + ACCESS_MS };
      return { cookie: `${VIEWER_COOKIE}=${await signViewerCookie(elsewhere, content)}` };
    },
    "an access cookie in its place": async () => {
      const { headers } = await browser("ann");
      return {
        cookie: onlyCookie({ sessionId: "", headers }, ACCESS_COOKIE).cookie.replace(
          ACCESS_COOKIE,
          VIEWER_COOKIE,
        ),
      };
    },
    "an expired sign-in": async () => {
      const { sessionId } = await browser("ann");
      await set(sessionId, "expires_at", Date.now());
      return asOf({ sessionId, until: Date.now() });
    },
    "an ended sign-in, with a cookie that is no longer fresh": async () => {
      const { sessionId } = await browser("ann");
      await endSessions(env, "ann", [sessionId]);
      return asOf({ sessionId, until: Date.now() });
    },
    "an ended sign-in, with a fresh cookie": async () => {
      const { sessionId } = await browser("ann");
      await env.USER_HUB.getByName("ann").opened(sessionId, label, "ann");
      await endSessions(env, "ann", [sessionId]);
      return asOf({ sessionId });
    },
    "a stranger": async () =>
      asOf({ userId: "eve", login: "eve", sessionId: (await browser("eve")).sessionId }),
    "an administrator": async () =>
      asOf({ userId: "root", login: "root", sessionId: (await browser("root")).sessionId }),
    "an administrator's token": async () => ({
      authorization: `Bearer ${(await newToken("root", ["admin"])).text}`,
    }),
  };

  /** What shows nothing: to somebody who cannot have got a cookie there, an instance is not connected. */
  const HARMLESS: Record<string, RegExp> = {
    [instanceRoutes.ready]: /^503$/,
    [instanceRoutes.enter]: /^302$/,
  };
  const NOT_IN = /^(sign_in_required|enter_refused|not_found|4\d\d)$/;

  const viewerRules = RULES.filter(({ host, who }) => host === "instance" && who === "viewer");
  const pathOf = ({ path }: Rule) => path.replace("*", "some/page");
  const methodsOf = ({ method }: Rule) => (method === "ANY" ? METHODS : [method]);

  test("every rule but that for static files, which are served before the Worker, is walked", () => {
    const rest = RULES.filter((rule) => rule.host === "instance" && !viewerRules.includes(rule));
    expect(rest.map(({ path, who }) => [path, who])).toEqual([[`${instanceRoutes.assets}*`, "anyone"]]);
  });

  describe.each(Object.entries(OUT))("%s", (_who, come) => {
    test.each(named(viewerRules))("is not let in to %s", async (_name, rule) => {
      for (const method of methodsOf(rule)) {
        const headers = await come();
        const asked = { path: pathOf(rule), method, protocol: rule.protocol, headers };
        const response = await askInstance(asked);
        const got = await outcome(response);
        // A value, that is; one that is refused may be taken away.
        const isGiven = (cookie: string) => cookie.startsWith(`${VIEWER_COOKIE}=`) && !cookie.includes("=;");
        expect(response.headers.getSetCookie().filter(isGiven)).toEqual([]);
        const isHarmless = HARMLESS[rule.path]?.test(got) ?? false;
        if (!isHarmless) expect([method, got]).toEqual([method, expect.stringMatching(NOT_IN)]);
      }
    });
  });

  test("its owner is let in", async () => {
    const headers = await asOf({});
    for (const method of METHODS) {
      const { status } = await askInstance({ path: "/some/page", method, headers });
      expect([method, status]).toEqual([method, 200]);
    }
    expect((await askInstance({ path: instanceRoutes.ready, headers })).status).toBe(204);
    expect((await askInstance({ path: "/ws", protocol: "websocket", headers })).status).toBe(101);
    // Whoever is in needs no code.
    const entered = await askInstance({ path: `${instanceRoutes.enter}?next=/x`, headers });
    expect([entered.status, entered.headers.get("location")]).toEqual([302, "/x"]);
  });

  test("nothing else of the hub's is there", async () => {
    const headers = await asOf({});
    const { status } = await askInstance({ path: `${instanceRoutes.prefix}other`, headers });
    expect(status).toBe(404);
  });
});
