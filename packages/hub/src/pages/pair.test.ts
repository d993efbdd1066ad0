/** The page on which a person says a code: what it shows, to whom, and how often it may be guessed at. */
import { env } from "cloudflare:workers";
import { beforeEach, expect, test } from "vitest";
import { MARKUP } from "../../test/corpora/markup.ts";
import { ask, connected, HUB, signedIn, type Person } from "../../test/hub.ts";
import { openPendingV1, SAYS, startPairing } from "../../test/pending.ts";
import { EXACT_LIMITS } from "../auth/rate-limits.ts";
import { listTokens } from "../db/tokens.ts";
import { routes } from "../routes.ts";

let people = 0;
let ann: Person;

beforeEach(async () => {
  people++;
  ann = await signedIn(`ann-${people}`);
});

const FORM = { "content-type": "application/x-www-form-urlencoded" };
/** A place of its own for each person, as for the code's limits. */
const at = (person: Person) => ({
  "cf-connecting-ip": `192.0.2.${Number(person.userId.split("-")[1]) % 250}`,
});

const look = (code: string, person = ann) =>
  ask(`${routes.pair}?code=${encodeURIComponent(code)}`, { person, headers: at(person) });
const decide = (path: string, code: string, person = ann) =>
  ask(path, { method: "POST", person, body: `code=${code}`, headers: { ...FORM, ...at(person) } });
const approve = (code: string, person = ann) => decide(routes.approvePairing, code, person);
const deny = (code: string, person = ann) => decide(routes.denyPairing, code, person);

/** Text as a person reads it. */
const words = async (answer: Response) =>
  (await answer.text())
    .replace(/^[\s\S]*<main/, "<main")
    .replace(/<\/main>[\s\S]*$/, "")
    .replaceAll(/<[^>]*>/g, " ")
    .replaceAll(/\s+/g, " ");

test("without a code it asks for one, and says what to run for one", async () => {
  const answer = await ask(routes.pair, { person: ann });
  expect(answer.status).toBe(200);
  expect(await words(answer)).toContain(`npx @ai-orchestrator/connector connect ${HUB}`);
});

test.each(["WDJB", "WDJB-MJH1", "AEIO-UAEI", "../../x", "<script>alert(1)</script>"])(
  "%j is no code: it is not counted, and shown again as it was typed",
  async (typed) => {
    for (let count = 0; count < EXACT_LIMITS["wrong-code-of"].max + 2; count++)
      expect((await look(typed)).status).toBe(400);
    const page = await (await look(typed)).text();
    expect(page).not.toContain("<script>alert");
    expect(page).toContain("eight letters");
  },
);

test("shows what asks, in any spelling of its code, and changes nothing by that", async () => {
  const { code, fingerprint } = await startPairing({ address: "198.51.100.77" });
  for (const typed of [code, code.toLowerCase(), code.replace("-", ""), ` ${code.replace("-", " ")} `]) {
    const answer = await look(typed);
    expect(answer.status).toBe(200);
    const text = await words(answer);
    for (const shown of [
      "buildbox",
      "/home/ann/src/shop",
      "linux",
      "connector 0.1.0",
      fingerprint,
      "198.51.100.77",
    ])
      expect(text).toContain(shown);
    expect(text).toContain("Approve only what you have just started yourself");
    // A token is for no one instance.
    expect(text).toContain("in the place of any of them if it wants to");
  }
  expect(await listTokens(env.DB, ann.userId)).toEqual([]);
  expect((await approve(code)).status).toBe(303);
});

test("pages elsewhere that lead a person here use up nothing: a link still works, or asks to send the code", async () => {
  const led = (code: string) =>
    ask(`${routes.pair}?code=${code}`, {
      person: ann,
      headers: { ...at(ann), "sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate" },
    });
  const { code } = await startPairing();
  expect(await words(await led(code))).toContain("Is this your instance?");
  for (let count = 0; count < 2 * EXACT_LIMITS["linked-code"].max; count++) await led("BCDF-GHJK");
  const late = await led(code);
  expect(late.status).toBe(200);
  const page = await late.text();
  expect(page).toContain(`value="${code}"`);
  expect(page).not.toContain("buildbox");
  expect(await words(await look(code))).toContain("Is this your instance?");
  expect((await approve(code)).status).toBe(303);
});

test("says whose place it takes, where the person has an instance of that id", async () => {
  const hub = env.USER_HUB.getByName(ann.userId);
  const metadata = { hostname: "old-box", project: "/p", platform: "linux" };
  await hub.instanceConnected(connected(SAYS.client_id, { metadata }));
  const { code } = await startPairing();
  expect(await words(await look(code))).toContain("takes the place of old-box");
  const eve = await signedIn(`eve-${people}`);
  expect(await words(await look(code, eve))).not.toContain("old-box");
});

test("leads to the dashboard once it is approved, and says so to who comes back to the code", async () => {
  const { code, pending } = await startPairing();
  const answer = await approve(code.toLowerCase());
  expect([answer.status, answer.headers.get("location")]).toEqual([303, routes.dashboard]);
  await pending.heard("token_granted");
  pending.say({ type: "token_received" });
  await pending.closed;
  expect(await words(await look(code))).toContain("It has its token");
  const again = await approve(code);
  expect([again.status, again.headers.get("location")]).toEqual([303, `${routes.pair}?code=${code}`]);
  expect(await listTokens(env.DB, ann.userId)).toHaveLength(1);
  const eve = await signedIn(`eve-${people}`);
  expect((await look(code, eve)).status).toBe(404);
  expect((await approve(code, eve)).status).toBe(404);
  expect(await listTokens(env.DB, eve.userId)).toEqual([]);
});

test("says that it waits, where the connector is away", async () => {
  const { code, pending } = await startPairing();
  pending.socket.close();
  await expect.poll(async () => words(await look(code))).toContain("not connected at the moment");
  const answer = await approve(code);
  expect(answer.headers.get("location")).toBe(`${routes.pair}?code=${code}`);
  expect(await words(await look(code))).toContain("It gets it when it reaches the hub");
});

test("denies, and says so to who has", async () => {
  const { code, pending } = await startPairing();
  expect((await deny(code)).headers.get("location")).toBe(`${routes.pair}?code=${code}`);
  await pending.heard("authorization_denied");
  expect(await words(await look(code))).toContain("Denied");
  expect((await approve(code)).headers.get("location")).toBe(`${routes.pair}?code=${code}`);
  expect(await listTokens(env.DB, ann.userId)).toEqual([]);
});

test("takes 10 wrong codes of one person in ten minutes, however many at once; then no right one either", async () => {
  const { max } = EXACT_LIMITS["wrong-code-of"];
  const { code } = await startPairing();
  // A right one costs nothing.
  for (let count = 0; count < max + 5; count++) expect((await look(code)).status).toBe(200);
  const guesses = await Promise.all([
    ...Array.from({ length: max }, (_, index) => look(`WDJB-MJH${"BCDFGHJKLM"[index]}`)),
    ...Array.from({ length: max }, (_, index) => approve(`WDJB-MJK${"BCDFGHJKLM"[index]}`)),
  ]);
  const statuses = guesses.map(({ status }) => status);
  expect(statuses.filter((status) => status === 404)).toHaveLength(max);
  const refused = guesses.filter(({ status }) => status === 429);
  expect(refused).toHaveLength(max);
  expect(Number(refused[0]?.headers.get("retry-after"))).toBeGreaterThan(500);
  expect((await look(code)).status).toBe(429);
  expect((await approve(code)).status).toBe(429);
  expect(await listTokens(env.DB, ann.userId)).toEqual([]);
  // Somebody else is not concerned.
  expect((await look(code, await signedIn(`eve-${people}`))).status).toBe(200);
});

test("takes 40 wrong codes of one place in ten minutes, whoever they are", async () => {
  const headers = { "cf-connecting-ip": "203.0.113.40" };
  const statuses: number[] = [];
  for (let group = 0; group < 5; group++) {
    const person = await signedIn(`guesser-${people}-${group}`);
    for (let count = 0; count < 9; count++)
      statuses.push(
        (await ask(`${routes.pair}?code=WDJB-MJH${"BCDFGHJKL"[count]}`, { person, headers })).status,
      );
  }
  expect(statuses).toEqual([...Array<number>(40).fill(404), ...Array<number>(5).fill(429)]);
});

test("keeps the code through a sign-in", async () => {
  const answer = await ask(`${routes.pair}?code=WDJB-MJHT`);
  expect([answer.status, answer.headers.get("location")]).toEqual([
    302,
    `${routes.signIn}?next=${encodeURIComponent("/pair?code=WDJB-MJHT")}`,
  ]);
});

test("lets nobody approve who has as many tokens as the hub keeps", async () => {
  const rows = Array.from({ length: 100 }, (_, index) =>
    env.DB.prepare(
      `INSERT INTO tokens (id, user_id, name, secret_hash, hint, scopes, created_at) VALUES (?1, ?2, 'n', ?1, 'h', 'connect', 0)`,
    ).bind(`full-${people}-${index}`, ann.userId),
  );
  await env.DB.batch(rows);
  const { code } = await startPairing();
  expect((await approve(code)).status).toBe(409);
  // Nothing is decided by that.
  expect(await words(await look(code))).toContain("Is this your instance?");
});

test.each(Object.entries(MARKUP))("%s in what it says of itself stays text", async (_what, markup) => {
  const text = markup.slice(0, 60);
  const says = {
    ...SAYS,
    hostname: text,
    project: text,
    platform: text,
    software: { name: text, version: text },
  };
  const { code } = await startPairing({}, says);
  const page = await (await look(code)).text();
  const main = page.slice(page.indexOf("<main"), page.indexOf("</main>"));
  expect(main).not.toMatch(/<(?:script|img|svg|iframe|object|style|hx-partial)/i);
  expect(main).not.toMatch(/<[^>]*\son\w+=/i);
});

test("what names others is shown and decided by nobody else; those it names find it on the page", async () => {
  const eve = await signedIn(`eve-${people}`);
  const pending = await openPendingV1(`?user=${ann.userId}`);
  pending.say({ type: "pending_register", hostname: "named-box", project: "/p", platform: "linux" });
  const { code } = await pending.heard("pending_registered");
  for (const answer of [await look(code, eve), await approve(code, eve), await deny(code, eve)]) {
    expect(answer.status).toBe(403);
    expect(await answer.text()).not.toContain("named-box");
  }
  await expect
    .poll(async () => (await ask(routes.pair, { person: ann })).text())
    .toContain(`href="${routes.pair}?code=${code}"`);
  expect(await (await ask(routes.pair, { person: eve })).text()).not.toContain("named-box");
  const page = await words(await look(code));
  expect(page).toContain(`Asks for ${ann.userId}`);
  expect(page).toContain("Fingerprint none Its client shows none to compare");
  expect((await approve(code)).headers.get("location")).toBe(routes.dashboard);
  expect((await pending.heard("token_granted")).client_id).toMatch(/^named-box-/);
  expect(await (await ask(routes.pair, { person: ann })).text()).not.toContain("named-box");
});

test("an organisation or a team is named by its members, as far as the hub knows them; the team alone counts where both stand", async () => {
  const memberships = {
    userId: 1,
    login: "ann",
    of: [
      { kind: "organization", id: 1, name: "Acme", state: "active" },
      { kind: "organization", id: 2, name: "invited", state: "pending" },
      { kind: "team", id: 3, name: "acme/builders", state: "active" },
    ],
    checkedAt: Date.now(),
  };
  Object.assign(env, { GITHUB_SIGN_IN: "enabled" });
  ann = await signedIn("github:1");
  await env.DB.batch([
    env.DB.prepare("UPDATE admissions SET memberships = ? WHERE user_id = ?").bind(
      JSON.stringify(memberships),
      ann.userId,
    ),
    ...[
      ["organization", 1, "acme"],
      ["organization", 2, "invited"],
      ["team", 3, "acme/builders"],
    ].map((entity) =>
      env.DB.prepare("INSERT INTO allowed_entities VALUES (?, ?, ?, 'member', NULL, 0)").bind(...entity),
    ),
  ]);
  const status = async (query: string) => {
    const pending = await openPendingV1(query);
    pending.say({ type: "pending_register", hostname: "box", project: "/p", platform: "linux" });
    const { code } = await pending.heard("pending_registered");
    const seen = (await look(code)).status;
    pending.socket.close();
    return seen;
  };
  expect(await status("?org=acme")).toBe(200);
  expect(await status("?org=ACME&team=Builders")).toBe(200);
  expect(await status("?team=acme/builders")).toBe(200);
  expect(await status("?org=acme&team=others")).toBe(403);
  expect(await status("?org=invited")).toBe(403);
  expect(await status("?org=unknown")).toBe(403);
  expect(await status("?team=builders")).toBe(403);
  expect(await status("?user=nobody&org=acme")).toBe(200);
  expect(await status("?user=somebody:1")).toBe(200);
  expect(await status("?user=github:2")).toBe(403);
});
