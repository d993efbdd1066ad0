import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it, onTestFinished, vi } from "vitest";
import { MARKUP } from "../../test/corpora/markup.ts";
import { ask, cookiePair, HUB, signedIn, type Person } from "../../test/hub.ts";
import type { AllowedEntity, Memberships, MembershipState, Role } from "../auth/policy.ts";
import { signIn } from "../auth/session.ts";
import { listAllowedEntities, saveAllowedEntity } from "../db/allowed-entities.ts";
import { listAudit } from "../db/audit.ts";
import { upsertUser } from "../db/users.ts";
import type { Env } from "../env.ts";
import { HubError } from "../errors.ts";
import { routes } from "../routes.ts";
import { addEntity, removeEntity, type Actor } from "./access-actions.ts";
import { whyAccess } from "./access-why.ts";

const NOW = Date.now();
const ACME = { kind: "organization", id: 9919, name: "acme", role: "member" } as const;
const CORE = { kind: "team", id: 4567, name: "acme/core", role: "admin" } as const;

let admin: Person;
let actor: Actor;

beforeEach(async () => {
  for (const table of ["allowed_entities", "audit_log", "admissions", "sessions", "users"])
    await env.DB.prepare(`DELETE FROM ${table}`).run();
  admin = await signedIn("local", "admin");
  actor = { userId: admin.userId, login: "local", from: { ip: "192.0.2.1", place: null } };
});

/** Somebody GitHub has said this about. */
async function known(
  id: number,
  login: string,
  of: [AllowedEntity | typeof ACME | typeof CORE, MembershipState][] = [],
) {
  await upsertUser(env.DB, { id: `github:${id}`, login, name: login });
  const memberships: Memberships = {
    userId: id,
    login,
    of: of.map(([entity, state]) => {
      if (entity.kind === "user") throw new Error("Nobody belongs to a person.");
      return { kind: entity.kind, id: entity.id, name: entity.name, state };
    }),
    checkedAt: NOW,
  };
  await env.DB.prepare("INSERT OR REPLACE INTO admissions VALUES (?, ?, ?, ?, 1, 'member', 'test')")
    .bind(`github:${id}`, JSON.stringify(memberships), NOW, NOW)
    .run();
}

function let_(entity: Omit<AllowedEntity, "source">) {
  return saveAllowedEntity(env.DB, entity, admin.userId);
}

function post(path: string, fields: Record<string, string>, person = admin): Promise<Response> {
  return ask(path, { method: "POST", person, body: new URLSearchParams(fields) });
}

function asJson(method: string, path: string, body?: unknown, person = admin): Promise<Response> {
  const headers = { accept: "application/json", "content-type": "application/json" };
  return ask(path, {
    method,
    person,
    headers,
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** What a browser makes of a page: the same elements, whatever is put into them, and nothing that runs. */
function elementsOf(page: string): string[] {
  expect(page).not.toMatch(/<[^>]* on\w+="/);
  return (page.match(/<[^>]*>/g) ?? []).map((tag) => tag.split(/[\s>]/)[0] ?? "");
}

async function errorCode(response: Response): Promise<string> {
  const { error } = await response.json<{ error: { code: string } }>();
  return error.code;
}

async function entitiesNow(): Promise<string[]> {
  const rows = await listAllowedEntities(env.DB);
  return rows.map(({ kind, name, github_id, role }) => `${kind} ${name}:${github_id} ${role}`);
}

async function auditNow(): Promise<string[]> {
  const rows = await listAudit(env.DB, {}, 100);
  return rows.map(({ action, login, subject, reason }) => [login, action, subject, reason].join(" "));
}

/** Settings of another hub: one that signs in with GitHub only, and whatever is given. */
function settings(more: Partial<Env> = {}): Env {
  return { ...env, LOCAL_SIGN_IN: "", ...more };
}

async function refusal(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => "nothing",
    (thrown: unknown) => thrown,
  );
  return error instanceof HubError ? error.code : String(error);
}

describe("the page", () => {
  it("says that nobody gets in and how to change it", async () => {
    const page = await (await ask(routes.access, { person: admin })).text();
    expect(page).toContain("Nobody gets in");
    expect(page).toContain("ALLOWED_ORGS");
    expect(page).not.toContain('id="entities"');
  });

  it("lets in an organisation, a team and a person, and says by whom", async () => {
    const added = await post(routes.addAccess, { kind: "organization", name: " acme:9919 ", role: "member" });
    expect([added.status, added.headers.get("location")]).toEqual([303, "/access#organization-9919"]);
    await post(routes.addAccess, { kind: "team", name: "acme/core:4567", role: "admin" });
    await post(routes.addAccess, { kind: "user", name: "583231", role: "member" });
    expect(await entitiesNow()).toEqual([
      "user 583231:583231 member",
      "organization acme:9919 member",
      "team acme/core:4567 admin",
    ]);
    expect(await auditNow()).toEqual([
      "local policy_added user 583231 (583231) member",
      "local policy_added team acme/core (4567) admin",
      "local policy_added organization acme (9919) member",
    ]);
    const page = await (await ask(routes.access, { person: admin })).text();
    expect(page).not.toContain("Nobody gets in");
    expect(page).toContain("<bdi>acme/core</bdi>");
    expect(page).toContain("<bdi>local</bdi>");
    expect(page.match(/Remove…/g)).toHaveLength(3);
  });

  it("gives what is there another role and name, once", async () => {
    await post(routes.addAccess, { kind: "organization", name: "acme:9919", role: "member" });
    await post(routes.addAccess, { kind: "organization", name: "acme-inc:9919", role: "admin" });
    expect(await entitiesNow()).toEqual(["organization acme-inc:9919 admin"]);
  });

  it("shows what the settings let in as fixed, and says what in them cannot be read, in the log once", async () => {
    const error = vi.spyOn(console, "error").mockImplementation(() => undefined);
    const given = { ALLOWED_ORGS: "acme:9919, other", MEMBERSHIP_MAX_AGE_SECONDS: "soon" };
    Object.assign(env, given);
    const page = await (await ask(routes.access, { person: admin })).text();
    await ask(routes.access, { person: admin });
    for (const name of Object.keys(given)) Reflect.deleteProperty(env, name);
    expect(page).toContain("Settings that cannot be read");
    expect(page).toContain("&quot;other&quot; has no id");
    expect(page).toContain("MEMBERSHIP_MAX_AGE_SECONDS must be a whole number");
    expect(page).toContain("organisation 9919");
    expect(page).toContain("let in by the settings");
    expect(page).not.toContain("Remove…");
    expect(page).not.toContain("Nobody gets in");
    expect(error.mock.calls).toHaveLength(2);
    error.mockRestore();
  });

  it.each([
    [{ kind: "organization", name: "acme" }, "numeric id"],
    [{ kind: "organization", name: "9919" }, "numeric id"],
    [{ kind: "team", name: "core:5" }, "organisation/team"],
    [{ kind: "user", name: "a b:5" }, "login"],
    [{ kind: "user", name: "a:0" }, "login"],
    [{ kind: "user", name: "" }, "Say whom"],
    [{ kind: "nobody", name: "a:5" }, "Say whom"],
    [{ kind: "user", name: "a:5", role: "owner" }, "Say whom"],
    [{ kind: "user", name: `${"a".repeat(300)}:5` }, "Say whom"],
    [{ name: "a:5" }, "Say whom"],
  ])("refuses %j where it was written", async (fields, message) => {
    const response = await post(routes.addAccess, fields);
    expect(response.status).toBe(400);
    const page = await response.text();
    expect(page).toContain(message);
    expect(page).toContain('data-code="bad_request"');
    expect(await entitiesNow()).toEqual([]);
    expect(await auditNow()).toEqual([]);
  });

  it.each(Object.entries(MARKUP))("escapes what was written: %s", async (_what, text) => {
    const pageFor = async (name: string) => {
      return (await post(routes.addAccess, { kind: "user", name, role: "member" })).text();
    };
    expect(elementsOf(await pageFor(text))).toEqual(elementsOf(await pageFor("not a name")));
  });

  it.each(Object.entries(MARKUP))(
    "escapes names that came into the database all the same: %s",
    async (_what, text) => {
      const pagesFor = async (name: string) => {
        await upsertUser(env.DB, { id: "github:77", login: name, name });
        await saveAllowedEntity(env.DB, { ...ACME, name }, "github:77");
        await known(5, name, [[ACME, "pending"]]);
        const why = `${routes.whyAccess}?user=${encodeURIComponent("github:5")}`;
        const removal = await post(routes.removeAccess, { kind: "organization", id: "9919" });
        const pages = [
          await ask(routes.access, { person: admin }),
          await ask(why, { person: admin }),
          removal,
        ];
        expect(pages.map(({ status }) => status)).toEqual([200, 200, 200]);
        return (await Promise.all(pages.map((page) => page.text()))).flatMap(elementsOf);
      };
      expect(await pagesFor(text)).toEqual(await pagesFor("plain"));
    },
  );
});

describe("removing", () => {
  it("asks first, and says who loses what", async () => {
    await let_(ACME);
    await let_(CORE);
    await known(5, "ann", [[ACME, "active"]]);
    await known(6, "bob", [
      [ACME, "active"],
      [CORE, "active"],
    ]);
    const asked = await post(routes.removeAccess, { kind: "organization", id: "9919" });
    const page = await asked.text();
    expect(asked.status).toBe(200);
    expect(page).toContain("organisation acme");
    expect(page).toMatch(/do not get in any more: .*<bdi>ann<\/bdi>/);
    expect(page).not.toContain("<bdi>bob</bdi>");
    expect(await (await post(routes.removeAccess, { kind: "team", id: "4567" })).text()).toMatch(
      /no administrators any more: .*<bdi>bob<\/bdi>/,
    );
    expect(await entitiesNow()).toHaveLength(2);

    const removed = await post(routes.removeAccess, { kind: "organization", id: "9919", confirmed: "yes" });
    expect([removed.status, removed.headers.get("location")]).toEqual([303, routes.access]);
    expect(await entitiesNow()).toEqual(["team acme/core:4567 admin"]);
    expect(await auditNow()).toContain("local policy_removed organization acme (9919) member");
  });

  it("says so where nobody loses anything", async () => {
    await let_(ACME);
    const page = await (await post(routes.removeAccess, { kind: "organization", id: "9919" })).text();
    expect(page).toContain("Nobody who has signed in so far loses anything");
  });

  it("closes what they have open, at once", async () => {
    await let_(ACME);
    await known(5, "ann", [[ACME, "active"]]);
    const cookies = await signIn(new Request(HUB), env, "github:5");
    const ann: Person = { userId: "github:5", cookie: cookies.map(cookiePair).join("; ") };
    expect((await ask(routes.tokens, { person: ann })).status).toBe(200);
    await post(routes.removeAccess, { kind: "organization", id: "9919", confirmed: "yes" });
    const after = await ask(routes.tokens, { person: ann });
    expect([after.status, after.headers.get("location")?.startsWith(routes.signIn)]).toEqual([302, true]);
    expect(await auditNow()).toContain("ann access_lost test empty_policy");
  });

  it("takes the role of an administrator who is only a member now, at once", async () => {
    Object.assign(env, { GITHUB_SIGN_IN: "enabled" });
    onTestFinished(() => void Object.assign(env, { GITHUB_SIGN_IN: "" }));
    await let_(ACME);
    await let_(CORE);
    await known(6, "bob", [
      [ACME, "active"],
      [CORE, "active"],
    ]);
    await env.DB.prepare("UPDATE admissions SET role = 'admin'").run();
    const cookies = await signIn(new Request(HUB), env, "github:6");
    const bob: Person = { userId: "github:6", cookie: cookies.map(cookiePair).join("; ") };
    expect((await ask(routes.access, { person: bob })).status).toBe(200);
    await post(routes.addAccess, { kind: "team", name: "acme/core:4567", role: "member" });
    expect((await ask(routes.access, { person: bob })).status).toBe(403);
    expect((await ask(routes.tokens, { person: bob })).status).toBe(200);
  });

  it.each([
    [{ kind: "organization", id: "1" }, 404],
    [{ kind: "team", id: "9919" }, 404],
    [{ kind: "organization", id: "9919x" }, 400],
    [{ kind: "organization", id: "-9919" }, 400],
    [{ kind: "nobody", id: "9919" }, 400],
    [{}, 400],
  ])("removes nothing by %j", async (fields, status) => {
    await let_(ACME);
    const confirmed = { ...fields, confirmed: "yes" } as Record<string, string>;
    expect((await post(routes.removeAccess, confirmed)).status).toBe(status);
    expect((await post(routes.removeAccess, fields as Record<string, string>)).status).toBe(status);
    expect(await entitiesNow()).toHaveLength(1);
    expect(await auditNow()).toEqual([]);
  });

  it("leads back from what it refuses", async () => {
    const fields = { kind: "organization", id: "1", confirmed: "yes" };
    expect(await (await post(routes.removeAccess, fields)).text()).toContain('href="/access"');
  });

  it("leaves what the settings let in", async () => {
    const fixed = settings({ ALLOWED_ORGS: "acme:9919" });
    expect(await refusal(removeEntity(fixed, actor, { kind: "organization", id: "9919" }))).toBe(
      "set_by_settings",
    );
    expect(await auditNow()).toEqual([]);
  });
});

describe("the last administrator", () => {
  const root = { kind: "user", id: 1, name: "root", role: "admin" } as const;
  const remove = { kind: "user", id: "1" };

  beforeEach(async () => {
    await known(1, "root");
    await let_(root);
  });

  it("is not removed, and not made a member", async () => {
    await let_(ACME);
    expect(await refusal(removeEntity(settings(), actor, remove))).toBe("last_administrator");
    const demotion = { kind: "user", name: "root:1", role: "member" };
    expect(await refusal(addEntity(settings(), actor, demotion))).toBe("last_administrator");
    expect(await entitiesNow()).toEqual(["organization acme:9919 member", "user root:1 admin"]);
    expect(await auditNow()).toEqual([]);
  });

  it.each([
    ["removed", (id: number) => removeEntity(settings(), actor, { kind: "user", id: String(id) })],
    [
      "made a member",
      (id: number) => addEntity(settings(), actor, { kind: "user", name: `p:${id}`, role: "member" }),
    ],
  ])("is not %s by two who do so to each other at once", async (_, act) => {
    await known(2, "ben");
    await let_({ kind: "user", id: 2, name: "ben", role: "admin" });
    await Promise.allSettled([act(1), act(2)]);
    expect((await entitiesNow()).filter((entity) => entity.endsWith(" admin"))).not.toEqual([]);
  });

  it("is removed once another administrator has signed in", async () => {
    await let_(CORE);
    expect(await refusal(removeEntity(settings(), actor, remove))).toBe("last_administrator");
    await known(6, "bob", [[CORE, "unknown"]]);
    expect(await refusal(removeEntity(settings(), actor, remove))).toBe("last_administrator");
    await known(6, "bob", [[CORE, "active"]]);
    expect(await refusal(removeEntity(settings(), actor, remove))).toBe("nothing");
  });

  it("is removed where the settings name one, and where the machine's own user is one", async () => {
    expect(await refusal(removeEntity(settings({ ADMINS: "bob:6" }), actor, remove))).toBe("nothing");
    await let_(root);
    expect(await refusal(removeEntity(settings({ LOCAL_SIGN_IN: "enabled" }), actor, remove))).toBe(
      "nothing",
    );
  });
});

it("keeps no more than 200 entities, but changes those it has", async () => {
  const insert = env.DB.prepare(
    "INSERT INTO allowed_entities VALUES ('user', ?, 'someone', 'member', NULL, 0)",
  );
  await env.DB.batch(Array.from({ length: 200 }, (_, index) => insert.bind(index + 1)));
  expect(await refusal(addEntity(env, actor, { kind: "user", name: "one-more:999" }))).toBe("policy_full");
  expect(await refusal(addEntity(env, actor, { kind: "user", name: "renamed:7" }))).toBe("nothing");
});

describe("why", () => {
  beforeEach(async () => {
    await let_(ACME);
    await let_(CORE);
  });

  it("says what lets somebody in, and what GitHub said of each line", async () => {
    await known(6, "Bob", [
      [ACME, "active"],
      [CORE, "none"],
    ]);
    const { people } = await whyAccess(env, "@bob");
    expect(people).toEqual([
      {
        userId: "github:6",
        login: "Bob",
        decision: { allowed: true, because: { ...ACME, source: "database" }, role: "member" },
        standings: [
          { entity: { ...ACME, source: "database" }, state: "active" },
          { entity: { ...CORE, source: "database" }, state: "none" },
        ],
        checkedAt: NOW,
        triedAt: NOW,
        isDue: false,
      },
    ]);
    const page = await (await ask(`${routes.whyAccess}?user=bob`, { person: admin })).text();
    expect(page).toContain("Bob gets in as member, because they belong to organisation acme.");
    expect(page).toContain("does not belong");
  });

  it.each<[MembershipState, string]>([
    ["pending", "were invited to organisation acme but have not accepted"],
    ["sso_required", "single sign-on session"],
    ["not_installed", "installs this hub"],
    ["none", "belong to nothing that is on the allow-list"],
    ["unknown", "is not known; GitHub is asked when they come next"],
  ])("says what to do where GitHub said %s", async (state, words) => {
    await known(6, "bob", [
      [ACME, state],
      [CORE, "none"],
    ]);
    const page = await (await ask(`${routes.whyAccess}?user=bob`, { person: admin })).text();
    expect(page).toContain("bob does not get in");
    expect(page).toContain(words);
  });

  it("follows the policy of now, not the one of then", async () => {
    await known(6, "bob", [[ACME, "active"]]);
    await env.DB.prepare("DELETE FROM allowed_entities").run();
    const { people, isPolicyEmpty } = await whyAccess(env, "bob");
    expect(people[0]?.decision).toEqual({ allowed: false, refusal: "empty_policy", about: [] });
    expect(isPolicyEmpty).toBe(true);
  });

  it("says so of somebody who never tried, and what the list alone says", async () => {
    const stranger = await (await ask(`${routes.whyAccess}?user=carol`, { person: admin })).text();
    expect(stranger).toContain("has tried to sign in here");
    expect(stranger).toContain("does not name them");
    await let_({ kind: "user", id: 8, name: "Carol", role: "admin" });
    expect((await whyAccess(env, "carol")).named).toMatchObject([{ id: 8 }]);
    expect((await whyAccess(env, "8")).named).toMatchObject([{ id: 8 }]);
    const named = await (await ask(`${routes.whyAccess}?user=carol`, { person: admin })).text();
    expect(named).toContain(
      "The allow-list names Carol, whose id is 8: if that is them, they get in as administrator.",
    );
  });

  it("tells people apart who had the same login one after the other, and finds them by id", async () => {
    await known(6, "bob");
    await known(7, "bob", [[ACME, "active"]]);
    const { people } = await whyAccess(env, "BOB");
    expect(people.map(({ userId }) => userId).toSorted()).toEqual(["github:6", "github:7"]);
    for (const user of ["7", "github:7"])
      expect((await whyAccess(env, user)).people.map(({ userId }) => userId)).toEqual(["github:7"]);
  });

  it("knows the machine's own user, and who was never asked about", async () => {
    await upsertUser(env.DB, { id: "github:9", login: "dora", name: "Dora" });
    expect((await whyAccess(env, "local")).people[0]?.decision).toBe("local");
    expect((await whyAccess(settings(), "local")).people[0]?.decision).not.toBe("local");
    expect((await whyAccess(env, "dora")).people[0]?.decision).toBe("never_asked");
  });

  it.each(["", "  ", "x".repeat(121), undefined])("asks for a name instead of %j", async (user) => {
    expect(await refusal(whyAccess(env, user))).toBe("bad_request");
  });

  it.each(Object.entries(MARKUP))("escapes who is asked about: %s", async (_what, text) => {
    const pageFor = async (user: string) => {
      const url = `${routes.whyAccess}?user=${encodeURIComponent(user.toWellFormed().slice(0, 110))}`;
      return (await ask(url, { person: admin })).text();
    };
    expect(elementsOf(await pageFor(text))).toEqual(elementsOf(await pageFor("nobody")));
  });
});

describe("the API", () => {
  it("lists, lets in and removes", async () => {
    const added = await asJson("POST", routes.apiAccess, {
      kind: "team",
      name: "acme/core:4567",
      role: "admin",
    });
    expect(added.status).toBe(201);
    expect(await added.json()).toEqual({ ...CORE, source: "database" });
    const listed = await asJson("GET", routes.apiAccess);
    expect(await listed.json()).toEqual({
      entities: [
        {
          ...CORE,
          source: "database",
          added_by: "local",
          added_at: expect.stringMatching(/Z$/) as string,
        },
      ],
      problems: [],
    });
    expect((await asJson("DELETE", routes.apiAccessEntity("team", 4567))).status).toBe(204);
    const again = await asJson("DELETE", routes.apiAccessEntity("team", 4567));
    expect([again.status, await errorCode(again)]).toEqual([404, "not_found"]);
    expect(await auditNow()).toEqual([
      "local policy_removed team acme/core (4567) admin",
      "local policy_added team acme/core (4567) admin",
    ]);
  });

  it.each([
    ["nothing", undefined],
    ["no kind", { name: "a:5" }],
    ["an unknown role", { kind: "user", name: "a:5", role: "root" }],
    ["a name without its id", { kind: "organization", name: "acme" }],
    ["a list", []],
    ["a name that is none", { kind: "user", name: { toString: "a:5" } }],
  ])("refuses %s", async (_what, body) => {
    const response = await asJson("POST", routes.apiAccess, body);
    expect([response.status, await errorCode(response)]).toEqual([400, "bad_request"]);
    expect(await entitiesNow()).toEqual([]);
  });

  it("answers why", async () => {
    await let_(ACME);
    await known(6, "bob", [[ACME, "pending"]]);
    const answer = await asJson("GET", `${routes.apiWhyAccess}?user=bob`);
    const about = { ...ACME, source: "database" };
    expect(await answer.json()).toEqual({
      user: "bob",
      people: [
        {
          id: "github:6",
          login: "bob",
          allowed: false,
          role: null,
          reason: "invitation_pending",
          because: null,
          about: [about],
          standings: [{ ...about, state: "pending" }],
          checked_at: new Date(NOW).toISOString(),
          tried_at: new Date(NOW).toISOString(),
          check_due: false,
        },
      ],
      named: [],
      policy_empty: false,
    });
    const wrong = await asJson("GET", routes.apiWhyAccess);
    expect([wrong.status, await errorCode(wrong)]).toEqual([400, "bad_request"]);
  });
});

describe("others", () => {
  const paths: [string, string][] = [
    ["GET", routes.access],
    ["POST", routes.addAccess],
    ["POST", routes.removeAccess],
    ["GET", `${routes.whyAccess}?user=root`],
    ["GET", routes.audit],
    ["GET", routes.apiAccess],
    ["POST", routes.apiAccess],
    ["DELETE", routes.apiAccessEntity("organization", 9919)],
    ["GET", `${routes.apiWhyAccess}?user=root`],
    ["GET", routes.apiAudit],
  ];

  it.each(paths)("%s %s is for administrators", async (method, path) => {
    await let_(ACME);
    const member = await signedIn("github:2", "member" satisfies Role);
    const response = await asJson(
      method,
      path,
      method === "GET" ? undefined : { kind: "user", name: "me:2" },
      member,
    );
    expect([response.status, await errorCode(response)]).toEqual([403, "admin_required"]);
    const nobody = await ask(path, { method, headers: { accept: "application/json" } });
    expect(nobody.status).toBe(401);
    expect(await entitiesNow()).toHaveLength(1);
  });
});
