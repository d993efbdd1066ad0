import { env } from "cloudflare:workers";
import { beforeEach, describe, expect, it } from "vitest";
import { MARKUP } from "../../test/corpora/markup.ts";
import { ask, signedIn, type Person } from "../../test/hub.ts";
import type { AuditAction, AuditEvent } from "../audit.ts";
import { AUDIT_RETENTION_MS, listAudit, recordAudit } from "../db/audit.ts";
import { routes } from "../routes.ts";

const NOW = Date.now();
let admin: Person;

beforeEach(async () => {
  await env.DB.prepare("DELETE FROM audit_log").run();
  admin = await signedIn("github:1", "admin");
});

function record(event: Partial<AuditEvent> & { action: AuditAction }, at = NOW): Promise<void> {
  const from = { ip: "192.0.2.1", place: "Berlin, DE" };
  return recordAudit(
    env.DB,
    { userId: "github:5", login: "ann", subject: null, reason: null, from, ...event },
    at,
  );
}

async function page(query = ""): Promise<string> {
  const response = await ask(`${routes.audit}${query}`, { person: admin });
  expect(response.status).toBe(200);
  return response.text();
}

interface Answer {
  entries: { id: number; action: string; login: string; at: string; subject: string | null }[];
  next: number | null;
}

async function json(query = ""): Promise<Answer> {
  const headers = { accept: "application/json" };
  return (await ask(`${routes.apiAudit}${query}`, { person: admin, headers })).json();
}

it("says what happened, newest first, with all that is known", async () => {
  await record({ action: "sign_in", subject: "session-1" }, NOW - 60_000);
  await record({ action: "policy_added", subject: "organization acme:9919", reason: "admin" });
  const html = await page();
  expect(html.indexOf("let in")).toBeGreaterThan(0);
  expect(html.indexOf('data-action="policy_added"')).toBeLessThan(html.indexOf('data-action="sign_in"'));
  for (const text of [
    "organization acme:9919",
    "admin",
    "Berlin, DE",
    "192.0.2.1",
    new Date(NOW).toISOString(),
  ])
    expect(html).toContain(text);
  const { entries, next } = await json();
  expect(next).toBeNull();
  expect(entries[0]).toEqual({
    id: expect.any(Number) as number,
    at: new Date(NOW).toISOString(),
    action: "policy_added",
    user_id: "github:5",
    login: "ann",
    subject: "organization acme:9919",
    reason: "admin",
    ip: "192.0.2.1",
    place: "Berlin, DE",
  });
});

it("is empty in so many words", async () => {
  expect(await page()).toContain("There is no such entry.");
  expect(await json()).toEqual({ entries: [], next: null });
});

describe("filters", () => {
  beforeEach(async () => {
    await record({ action: "sign_in" });
    await record({ action: "sign_out" });
    await record({ action: "sign_in", userId: "github:6", login: "Bob" });
    await record({ action: "webhook_refused", userId: null, login: null });
  });

  it.each([
    ["?action=sign_in", ["Bob sign_in", "ann sign_in"]],
    ["?person=ann", ["ann sign_out", "ann sign_in"]],
    ["?person=bob", ["Bob sign_in"]],
    ["?person=github%3A6", ["Bob sign_in"]],
    ["?person=ann&action=sign_out", ["ann sign_out"]],
    ["?person=an", []],
    ["?person=%25", []],
    ["?action=&person=+&limit=1", [" webhook_refused"]],
  ])("%s", async (query, expected) => {
    const { entries } = await json(query);
    expect(entries.map(({ login, action }) => `${login ?? ""} ${action}`)).toEqual(expected);
  });

  it.each([
    "?action=nothing",
    "?before=0",
    "?before=-1",
    "?before=x",
    "?limit=201",
    `?person=${"x".repeat(121)}`,
  ])("refuses %s", async (query) => {
    const response = await ask(`${routes.apiAudit}${query}`, { person: admin, headers: { accept: "*/*" } });
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ error: { code: "bad_request" } });
  });

  it("stay in the form", async () => {
    const html = await page("?action=sign_in&person=%22%3E%3Cb%3E");
    expect(html).toContain('<option value="sign_in" selected');
    expect(html).toContain('value="&quot;&gt;&lt;b&gt;"');
  });
});

it("goes back page by page without losing or repeating an entry, while new ones come", async () => {
  for (let index = 0; index < 7; index++) await record({ action: "sign_in", subject: `s${index}` });
  await record({ action: "sign_out" });
  const seen: string[] = [];
  let query = "?action=sign_in&limit=3";
  for (;;) {
    const { entries, next } = await json(query);
    seen.push(...entries.map(({ subject }) => subject ?? ""));
    await record({ action: "sign_in", subject: "meanwhile" });
    if (next === null) break;
    query = `?action=sign_in&limit=3&before=${next}`;
  }
  expect(seen).toEqual(["s6", "s5", "s4", "s3", "s2", "s1", "s0"]);
});

it("links to older entries and back, with the same filters", async () => {
  for (let index = 0; index < 51; index++) await record({ action: "sign_in", subject: `s${index}` });
  const newest = await page("?action=sign_in&person=ann");
  expect(newest.match(/<li id="entry-/g)).toHaveLength(50);
  const [, older] =
    /href="(\/audit\?action=sign_in&amp;person=ann&amp;before=\d+)" rel="next"/.exec(newest) ?? [];
  expect(older).toBeDefined();
  const oldest = await page((older ?? "").replace(routes.audit, "").replaceAll("&amp;", "&"));
  expect(oldest.match(/<li id="entry-/g)).toHaveLength(1);
  expect(oldest).toContain('href="/audit?action=sign_in&amp;person=ann"');
});

it.each(Object.entries(MARKUP))("escapes what it is told: %s", async (_what, text) => {
  const elementsFor = async (told: string) => {
    await env.DB.prepare("DELETE FROM audit_log").run();
    const from = { ip: told, place: told };
    await record({ action: "token_created", login: told, subject: told, reason: told, from });
    const html = await page();
    expect(html).not.toMatch(/<[^>]* on\w+="/);
    return html.match(/<[^>]*>/g)?.map((tag) => tag.split(/[\s>]/)[0]);
  };
  expect(await elementsFor(text)).toEqual(await elementsFor("plain"));
});

it("forgets what is older than 400 days, now and then", async () => {
  await record({ action: "sign_in", subject: "old" }, NOW - AUDIT_RETENTION_MS - 1);
  await record({ action: "sign_in", subject: "kept" }, NOW - AUDIT_RETENTION_MS + 60_000);
  for (let index = 0; index < 100; index++) await record({ action: "sign_out" });
  const rows = await listAudit(env.DB, { action: "sign_in" }, 10);
  expect(rows.map(({ subject }) => subject)).toEqual(["kept"]);
});
