/** Tokens by the page and by the API: the same rules, the same audit, and what a rotation leaves behind. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test, vi } from "vitest";
import { MARKUP } from "../../test/corpora/markup.ts";
import { ask, signedIn, type Person } from "../../test/hub.ts";
import { issueInstanceToken, verifyInstanceToken } from "../auth/token.ts";
import { listTokens, type TokenRow } from "../db/tokens.ts";
import { routes } from "../routes.ts";
import { UserHub } from "../user-hub/user-hub.ts";

const DAY_MS = 24 * 60 * 60 * 1000;
let ann: Person;
let eve: Person;
let chief: Person;

beforeAll(async () => {
  ann = await signedIn("ann");
  eve = await signedIn("eve");
  chief = await signedIn("chief", "admin");
});

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

/** Asks the API; `body` is JSON, or text as it is. */
async function api(person: Person, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await ask(path, {
    method,
    person,
    headers: { accept: "application/json", "content-type": "application/json" },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  return { status: response.status, body: text === "" ? {} : (JSON.parse(text) as Answer["body"]) };
}

const make = (person: Person, body: unknown) => api(person, "POST", routes.apiTokens, body);
const rotate = (person: Person, id: unknown, body?: unknown) =>
  api(person, "POST", routes.rotateApiToken(String(id)), body);
const form = (person: Person, fields: Record<string, string>, path: string = routes.newToken) =>
  ask(path, { method: "POST", person, body: new URLSearchParams(fields) });
const messageOf = ({ body }: Answer) => (body["error"] as { message: string }).message;
const newest = async (userId: string) => (await listTokens(env.DB, userId))[0] as TokenRow;
const codeOf = ({ body }: Answer) => (body["error"] as { code: string } | undefined)?.code;

async function auditOf(userId: string) {
  const { results } = await env.DB.prepare(
    "SELECT action, login, subject, reason FROM audit_log WHERE user_id = ? AND action LIKE 'token%' ORDER BY id",
  )
    .bind(userId)
    .all();
  return results;
}

describe("the API", () => {
  test("makes a token, lists it without its text, and revokes it", async () => {
    const expires = new Date(Date.now() + DAY_MS).toISOString();
    const { status, body } = await make(ann, { name: " laptop ", expires_at: expires });
    expect(status).toBe(201);
    const { id, token } = body as { id: string; token: string };
    expect(body).toEqual({
      id,
      token,
      name: "laptop",
      hint: token.slice(-4),
      scopes: ["connect"],
      created_at: expect.any(String) as string,
      expires_at: expires,
      last_used_at: null,
      last_client_id: null,
      last_ip: null,
      last_place: null,
      replaced_by: null,
    });
    expect(await verifyInstanceToken(env.DB, token)).toMatchObject({ ok: { tokenId: id, userId: "ann" } });

    const { token: _, ...listed } = body;
    expect(await api(ann, "GET", routes.apiTokens)).toEqual({ status: 200, body: { tokens: [listed] } });
    expect(await api(eve, "GET", routes.apiTokens)).toEqual({ status: 200, body: { tokens: [] } });

    expect((await api(eve, "DELETE", routes.apiToken(id))).status).toBe(404);
    expect((await api(ann, "DELETE", routes.apiToken(id))).status).toBe(204);
    expect(await verifyInstanceToken(env.DB, token)).toEqual({ refused: "revoked" });
    expect((await api(ann, "DELETE", routes.apiToken(id))).status).toBe(404);
    expect(await api(ann, "GET", routes.apiTokens)).toEqual({ status: 200, body: { tokens: [] } });
    expect(await auditOf("ann")).toEqual([
      { action: "token_created", login: "ann", subject: `laptop (${id})`, reason: null },
      { action: "token_revoked", login: "ann", subject: `laptop (${id})`, reason: null },
    ]);
  });

  const past = new Date(Date.now() - 1000).toISOString();
  test.each<[unknown, RegExp]>([
    ["", /not JSON/],
    ["{", /not JSON/],
    ["null", /An object with name/],
    ["[]", /An object with name|name/],
    ["7", /An object with name/],
    [{}, /name/],
    [{ name: "" }, /name/],
    [{ name: " \u202e\u0000 " }, /name/],
    [{ name: 1 }, /name/],
    [{ name: "x".repeat(81) }, /1 to 80/],
    [{ name: "x", expires_at: past }, /in the future/],
    [{ name: "x", expires_at: "tomorrow" }, /in the future/],
    [{ name: "x", expires_at: "2030-13-40T00:00:00Z" }, /in the future/],
    [{ name: "x", expires_at: 1_900_000_000_000 }, /in the future/],
    [{ name: "x", expires_at: "2030-01-01T00:00:00" }, /in the future/],
    [{ name: "x", expiresAt: null }, /no other fields/],
    [{ name: "x", user_id: "eve" }, /no other fields/],
    [{ name: "x", scopes: [] }, /scopes/],
    [{ name: "x", scopes: "connect" }, /scopes/],
    [{ name: "x", scopes: ["everything"] }, /scopes/],
  ])("makes none of %j", async (body, message) => {
    const answer = await make(eve, body);
    expect([answer.status, codeOf(answer)]).toEqual([400, "bad_request"]);
    expect(messageOf(answer)).toMatch(message);
    expect(await listTokens(env.DB, "eve")).toEqual([]);
  });

  test("gives the scope admin to administrators only, and takes it from a rotation when they are none any more", async () => {
    expect(codeOf(await make(ann, { name: "x", scopes: ["connect", "admin"] }))).toBe("admin_required");
    const { body } = await make(chief, { name: "ci", scopes: ["admin"] });
    expect(body["scopes"]).toEqual(["admin"]);
    const former = await signedIn("chief", "member");
    expect(codeOf(await rotate(former, body["id"]))).toBe("admin_required");
    chief = await signedIn("chief", "admin");
    expect((await rotate(chief, body["id"])).status).toBe(201);
  });

  test("keeps as many tokens as it says, rotated ones among them", async () => {
    const many = await signedIn("many");
    for (let count = 0; count < 99; count++)
      await issueInstanceToken(env.DB, { userId: "many", name: `t${count}` });
    const last = await make(many, { name: "last" });
    expect(last.status).toBe(201);
    expect(codeOf(await make(many, { name: "one more" }))).toBe("too_many_tokens");
    expect(codeOf(await rotate(many, last.body["id"]))).toBe("too_many_tokens");
    expect((await api(many, "DELETE", routes.apiToken(String(last.body["id"])))).status).toBe(204);
    expect((await make(many, { name: "again" })).status).toBe(201);
  });

  test("forgets long after why a token is refused", async () => {
    const old = await signedIn("old");
    const long = Date.now() - 91 * DAY_MS;
    const token = { userId: "old", name: "ran out", expiresAt: long + 1 };
    const { text } = await issueInstanceToken(env.DB, token, long);
    expect(await verifyInstanceToken(env.DB, text)).toEqual({ refused: "expired" });
    await make(old, { name: "new" });
    expect(await verifyInstanceToken(env.DB, text)).toEqual({ refused: "unknown" });
  });
});

describe("rotation", () => {
  test("makes a token of the same name, scopes and lifetime; the old one works for a day more", async () => {
    const now = Date.now();
    const made = await issueInstanceToken(
      env.DB,
      { userId: "chief", name: "build", scopes: ["connect", "admin"], expiresAt: now + 20 * DAY_MS },
      now - 10 * DAY_MS,
    );
    const { status, body } = await rotate(chief, made.row.id);
    expect(status).toBe(201);
    expect(body).toMatchObject({ name: "build", scopes: ["connect", "admin"] });
    const lifetime = Date.parse(String(body["expires_at"])) - Date.parse(String(body["created_at"]));
    expect(lifetime).toBe(30 * DAY_MS);
    const { id, expires_at: end } = body["replaced"] as { id: string; expires_at: string };
    expect(id).toBe(made.row.id);
    expect(Date.parse(end)).toBeGreaterThan(now + DAY_MS - 5000);
    expect(Date.parse(end)).toBeLessThan(now + DAY_MS + 5000);
    expect(await verifyInstanceToken(env.DB, made.text)).toMatchObject({
      ok: { expiresAt: Date.parse(end) },
    });
    expect(await verifyInstanceToken(env.DB, made.text, Date.parse(end))).toEqual({ refused: "expired" });
    expect(await verifyInstanceToken(env.DB, String(body["token"]))).toMatchObject({
      ok: { tokenId: body["id"], scopes: ["connect", "admin"] },
    });
    expect((await auditOf("chief")).at(-1)).toEqual({
      action: "token_rotated",
      login: "chief",
      subject: `build (${made.row.id}) to ${String(body["id"])}`,
      reason: null,
    });
  });

  test("shows the old one until it has run out, and lets nobody make two of it", async () => {
    const rob = await signedIn("rob");
    const { body } = await make(rob, { name: "pi" });
    const [first, second] = await Promise.all([rotate(rob, body["id"]), rotate(rob, body["id"])]);
    expect([first, second].filter(({ status }) => status === 201)).toHaveLength(1);
    expect([codeOf(first), codeOf(second)]).toContain("token_replaced");
    expect(codeOf(await rotate(rob, body["id"]))).toBe("token_replaced");
    const rows = await listTokens(env.DB, "rob");
    expect(rows.map(({ name }) => name)).toEqual(["pi", "pi"]);
    expect(rows.find(({ id }) => id === body["id"])?.replaced_by).toBe(
      rows.find(({ id }) => id !== body["id"])?.id,
    );
    expect(await listTokens(env.DB, "rob", Date.now() + 2 * DAY_MS)).toHaveLength(1);
  });

  test("does not lengthen a life, nor is it for others' or revoked tokens", async () => {
    const soon = Date.now() + 60_000;
    const { body } = await make(ann, { name: "short", expires_at: new Date(soon).toISOString() });
    expect((await rotate(eve, body["id"])).status).toBe(404);
    const rotated = await rotate(ann, body["id"], { overlap_seconds: 604_800 });
    expect(rotated.body["replaced"]).toMatchObject({ expires_at: new Date(soon).toISOString() });
    await api(ann, "DELETE", routes.apiToken(String(rotated.body["id"])));
    expect((await rotate(ann, rotated.body["id"])).status).toBe(404);
    expect((await rotate(ann, "nothing")).status).toBe(404);
  });

  test("without overlap ends the old one at once", async () => {
    const { body } = await make(ann, { name: "leaked" });
    const { status } = await rotate(ann, body["id"], { overlap_seconds: 0 });
    expect(status).toBe(201);
    expect(await verifyInstanceToken(env.DB, String(body["token"]))).toEqual({ refused: "expired" });
  });

  test.each([
    [{ overlap_seconds: -1 }],
    [{ overlap_seconds: 604_801 }],
    [{ overlap_seconds: 1.5 }],
    [{ overlap_seconds: "60" }],
    [{ overlap: 60 }],
    ["{"],
  ])("refuses %j", async (body) => {
    const { row } = await issueInstanceToken(env.DB, { userId: "eve", name: "kept" });
    expect((await rotate(eve, row.id, body)).status).toBe(400);
    expect((await newest("eve")).replaced_by).toBeNull();
    await api(eve, "DELETE", routes.apiToken(row.id));
  });

  test("leaves both tokens as they are where what is connected cannot be told", async () => {
    const { body } = await make(ann, { name: "kept" });
    const broken = vi.spyOn(UserHub.prototype, "tokenExpires").mockRejectedValue(new Error("overloaded"));
    expect((await rotate(ann, body["id"])).status).toBe(500);
    broken.mockRestore();
    expect(await verifyInstanceToken(env.DB, String(body["token"]))).toMatchObject({
      ok: { expiresAt: null },
    });
    expect((await rotate(ann, body["id"])).status).toBe(201);
  });
});

test("revoking once more closes what stayed connected because the hub broke in between", async () => {
  const { body } = await make(ann, { name: "stuck" });
  const told = vi.spyOn(UserHub.prototype, "tokenRevoked");
  const overloaded = new Error("overloaded");
  told.mockRejectedValueOnce(overloaded).mockRejectedValueOnce(overloaded).mockRejectedValueOnce(overloaded);
  expect((await api(ann, "DELETE", routes.apiToken(String(body["id"])))).status).toBe(500);
  expect(told).toHaveBeenCalledTimes(2);
  expect((await api(ann, "DELETE", routes.apiToken(String(body["id"])))).status).toBe(404);
  expect(told).toHaveBeenCalledTimes(4);
  told.mockRestore();
});

describe("the page", () => {
  test("shows a new token once, in the command that uses it", async () => {
    const text = await (await form(ann, { name: `<b>"desk"` })).text();
    expect(text).toMatch(
      /ORCHESTRATOR_TOKEN=orc_[\w-]{49} npx \S+ connect --url http:\/\/hub\.localhost:8787/,
    );
    expect(text).toContain("&lt;b&gt;&quot;desk&quot;");
    const again = await (await ask(routes.tokens, { person: ann })).text();
    expect(again).not.toContain("orc_");
  });

  test.each([
    [{ expires: "never" }, null],
    [{}, null],
    [{ expires: "30" }, 30],
    [{ expires: "365", until: "2001-01-01" }, 365],
  ])("takes %j", async (fields, days) => {
    const before = Date.now();
    expect((await form(ann, { name: "lives", ...fields })).status).toBe(200);
    const { expires_at: at } = await newest("ann");
    if (days === null) return expect(at).toBeNull();
    expect(at).toBeGreaterThanOrEqual(before + days * DAY_MS);
    expect(at).toBeLessThan(before + days * DAY_MS + 10_000);
  });

  test("takes a last day", async () => {
    const day = new Date(Date.now() + 3 * DAY_MS).toISOString().slice(0, 10);
    await form(ann, { name: "until", expires: "date", until: day });
    expect((await newest("ann")).expires_at).toBe(Date.parse(`${day}T23:59:59Z`));
  });

  test.each([
    { name: "" },
    { name: "x", expires: "date", until: "" },
    { name: "x", expires: "date", until: "2001-01-01" },
    { name: "x", expires: "0" },
    { name: "x", expires: "-1" },
    { name: "x", expires: "soon" },
    { name: "x", scopes: "everything" },
  ])("makes none of %j", async (fields) => {
    const before = await listTokens(env.DB, "ann");
    expect((await form(ann, fields)).status).toBe(400);
    expect(await listTokens(env.DB, "ann")).toEqual(before);
  });

  test("offers the scope admin to administrators only", async () => {
    const fields = { name: "ci", scopes: "admin" };
    expect((await form(ann, fields)).status).toBe(403);
    expect(await (await ask(routes.tokens, { person: ann })).text()).not.toContain(`name="scopes"`);
    expect(await (await ask(routes.tokens, { person: chief })).text()).toContain(`name="scopes"`);
    const shown = await (await form(chief, fields)).text();
    expect(shown).toMatch(/<code id="new-token-command">orc_[\w-]{49}<\/code>/);
  });

  test("rotates, and says until when the old one works", async () => {
    const { row } = await issueInstanceToken(env.DB, { userId: "ann", name: "desk" });
    const text = await (await form(ann, {}, routes.rotateToken(row.id))).text();
    expect(text).toMatch(/ORCHESTRATOR_TOKEN=orc_[\w-]{49}/);
    expect(text).toMatch(/stops working <time[^>]*>in 1 d/);
    expect((await form(eve, {}, routes.rotateToken(row.id))).status).toBe(404);
    expect((await form(ann, {}, routes.rotateToken(row.id))).status).toBe(409);
  });

  const marked = Object.entries(MARKUP).filter(([, text]) => /[<>"'&]/.test(text));
  test.each(marked)("escapes what would be %s, wherever it stands", async (_, markup) => {
    const person = await signedIn("hostile");
    const { row } = await issueInstanceToken(env.DB, { userId: "hostile", name: markup });
    await env.DB.prepare(
      "UPDATE tokens SET last_used_at = 5, last_client_id = ?1, last_ip = ?1, last_place = ?1 WHERE id = ?2",
    )
      .bind(markup, row.id)
      .run();
    const text = await (await ask(routes.tokens, { person })).text();
    expect(text).not.toContain(markup);
  });
});
