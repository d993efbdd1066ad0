import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import { ask, cookiePair, HUB, signedIn, type Person } from "../../test/hub.ts";
import { SESSION_COOKIE, signIn } from "../auth/session.ts";
import { routes } from "../routes.ts";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/** Another browser of a person, somewhere. */
async function anotherBrowser(userId: string, headers: Record<string, string> = {}): Promise<Person> {
  const cookies = await signIn(new Request(HUB, { headers }), env, userId);
  return { userId, cookie: cookies.map(cookiePair).join("; ") };
}

const idOf = (person: Person) =>
  new RegExp(`${SESSION_COOKIE}=([\\w-]{16})\\.`).exec(person.cookie)?.[1] ?? "";

const isSignedIn = async (person: Person) => (await ask(routes.sessions, { person })).status === 200;

async function auditOf(sessionId: string): Promise<unknown> {
  return env.DB.prepare("SELECT action, user_id, reason FROM audit_log WHERE subject = ?")
    .bind(sessionId)
    .first();
}

test("lists one's own sign-ins: which browser, where, and which is this one", async () => {
  const ann = await signedIn("lists");
  const phone = await anotherBrowser("lists", { "user-agent": FIREFOX, "cf-connecting-ip": "192.0.2.7" });
  const stranger = await signedIn("somebody-else");
  const page = await (await ask(routes.sessions, { person: ann })).text();
  expect(page).toContain("Firefox on Linux");
  expect(page).toContain("192.0.2.7");
  expect(page).toContain("This machine");
  expect(page).toContain(routes.endSession(idOf(phone)));
  expect(page).not.toContain(idOf(stranger));
  expect(page.match(/this browser</g)).toHaveLength(1);
  expect(page.indexOf("this browser<")).toBeLessThan(page.indexOf("Firefox on Linux"));
});

test("what a browser calls itself is text", async () => {
  const person = await signedIn("hostile-browser");
  await anotherBrowser("hostile-browser", { "user-agent": `<script>alert(1)</script>"'` });
  const page = await (await ask(routes.sessions, { person })).text();
  expect(page).toContain("&lt;script&gt;");
  expect(page).not.toContain("<script>alert");
});

test("an administrator is shown the way to who gets in, a member is not", async () => {
  const [admin, member] = [await signedIn("runs-it", "admin"), await signedIn("uses-it")];
  const link = `href="${routes.access}"`;
  expect(await (await ask(routes.sessions, { person: admin })).text()).toContain(link);
  expect(await (await ask(routes.sessions, { person: member })).text()).not.toContain(link);
});

test("one is ended and written down; the others stay", async () => {
  const ann = await signedIn("ends-one");
  const phone = await anotherBrowser("ends-one");
  const answer = await ask(routes.endSession(idOf(phone)), { method: "POST", person: ann });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, routes.sessions]);
  expect(await isSignedIn(phone)).toBe(false);
  expect(await isSignedIn(ann)).toBe(true);
  expect(await auditOf(idOf(phone))).toEqual({
    action: "session_ended",
    user_id: "ends-one",
    reason: null,
  });
});

test("ending this one signs out, and takes the cookies", async () => {
  const ann = await signedIn("ends-own");
  const answer = await ask(routes.endSession(idOf(ann)), { method: "POST", person: ann });
  expect(answer.headers.get("location")).toBe(routes.signIn);
  const removed = answer.headers.getSetCookie().map((cookie) => cookie.split("; ").slice(0, 3));
  expect(removed).toEqual([
    ["__Host-orchestrator-session=", "Path=/", "Max-Age=0"],
    ["__Host-orchestrator-access=", "Path=/", "Max-Age=0"],
  ]);
  expect(await isSignedIn(ann)).toBe(false);
});

test("all are ended at once, this one too", async () => {
  const ann = await signedIn("ends-all");
  const others = [await anotherBrowser("ends-all"), await anotherBrowser("ends-all")];
  const answer = await ask(routes.endAllSessions, { method: "POST", person: ann });
  expect([answer.status, answer.headers.get("location")]).toEqual([303, routes.signIn]);
  for (const person of [ann, ...others]) {
    expect(await isSignedIn(person)).toBe(false);
    expect(await auditOf(idOf(person))).toMatchObject({ action: "session_ended", reason: "all" });
  }
});

test("nobody ends another's, or one that is gone", async () => {
  const [ann, eve] = [await signedIn("is-ended-not"), await signedIn("ends-others")];
  for (const id of [idOf(ann), "unknown", "x".repeat(5000), "%00"]) {
    expect((await ask(routes.endSession(id), { method: "POST", person: eve })).status).toBe(404);
  }
  expect(await isSignedIn(ann)).toBe(true);
});

test("another site, or a link, ends nothing", async () => {
  const ann = await signedIn("is-not-tricked");
  for (const path of [routes.endSession(idOf(ann)), routes.endAllSessions, routes.signOut]) {
    for (const headers of [
      { origin: "https://evil.example" },
      { origin: "" },
      { "sec-fetch-site": "same-site" },
    ])
      expect((await ask(path, { method: "POST", person: ann, headers })).status).toBe(403);
    for (const method of ["GET", "HEAD"]) expect((await ask(path, { method, person: ann })).status).toBe(404);
  }
  expect(await isSignedIn(ann)).toBe(true);
});
