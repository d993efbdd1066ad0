/**
 * Cookies between hosts of one site (security.md 5 and 6): an instance's answers and scripts set every cookie they can
 * think of, and the hub and the other instance go on as if nothing had happened.
 */
import type { BrowserContext, Cookie, Page } from "playwright-core";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startHostileUpstream, type HostileUpstream } from "./pages/hostile-upstream.ts";
import { type Puppet, startStage, type Stage } from "./pages/stage.ts";

const SESSION = "__Host-orchestrator-session";
const VIEWER = "__Host-orchestrator-viewer";
const NONCE = "__Host-orchestrator-nonce";

let stage: Stage;
let [mine, theirs]: HostileUpstream[] = [];
let attacker: Puppet;
let victim: Puppet;
let context: BrowserContext;
let page: Page;
/** Everything this browser has when an attack begins. */
let jar: Cookie[];

beforeAll(async () => {
  [stage, mine, theirs] = await Promise.all([
    startStage(),
    startHostileUpstream("attacker"),
    startHostileUpstream("victim"),
  ]);
  attacker = await stage.instance({ clientId: "attacker", target: mine.target });
  victim = await stage.instance({ clientId: "victim", target: theirs.target });
  ({ context, page } = await stage.dashboard());
  await page.goto(`${victim.origin}/`);
  await page.goto(`${attacker.origin}/`);
  jar = await context.cookies();
});
beforeEach(async () => {
  await context.clearCookies();
  await context.addCookies(jar);
  await page.goto(`${attacker.origin}/`);
});
afterAll(async () => {
  await stage.stop();
  await mine?.stop();
  await theirs?.stop();
});

/** Ways to write the name of one of the hub's cookies, so that a browser takes it and a careless server believes it. */
const disguises: Record<string, (name: string, value: string) => string> = {
  "as it is": (name, value) => `${name}=${value}`,
  "in small letters": (name, value) => `${name.toLowerCase()}=${value}`,
  "without a name": (name, value) => `=${name}=${value}`,
  "without a name and an equals sign": (name, value) => `${name}%3D${value}`,
  "behind a wide space": (name, value) => `\u2000${name}=${value}`,
  "behind a no-break space": (name, value) => `\u00a0${name}=${value}`,
  "behind a next line": (name, value) => `\u0085${name}=${value}`,
  "behind a byte order mark": (name, value) => `\ufeff${name}=${value}`,
  "before a wide space": (name, value) => `${name}\u3000=${value}`,
  "as a second pair": (name, value) => `x=1;${name}=${value}`,
  "after a comma": (name, value) => `x=1,${name}=${value}`,
};
const SCOPES = [
  "; Path=/; Secure",
  "; Path=/; Secure; Domain=hub.localhost",
  "; Path=/tokens; Secure; Domain=hub.localhost",
  "; Path=/; Domain=hub.localhost",
];

/** Everything that is tried with one disguise: were it believed, the hub would ask to sign in and the victim not open. */
function planted(disguise: (name: string, value: string) => string): string[] {
  return SCOPES.flatMap((scope) => [
    disguise(SESSION, "A".repeat(43)) + scope,
    disguise(VIEWER, "forged.forged") + scope,
    disguise(NONCE, "A".repeat(43)) + scope,
  ]);
}

describe("the hub's cookies", () => {
  it.each(Object.entries(disguises))("planted by a script, %s", async (_how, disguise) => {
    await page.evaluate((cookies) => {
      for (const cookie of cookies) document.cookie = cookie;
    }, planted(disguise));
    await nothingBelieved();
  });

  it.each(Object.entries(disguises))("planted by an answer, %s", async (_how, disguise) => {
    // What HTTP cannot carry as it is goes as its bytes, which is what a browser makes of it, too.
    const cookies = planted(disguise).map((cookie) => ["cookie", Buffer.from(cookie).toString("latin1")]);
    const answer = await page.goto(
      `${attacker.origin}/set-cookies?${new URLSearchParams(cookies).toString()}`,
    );
    expect(answer?.status()).toBe(200);
    expect((await context.cookies()).filter(({ domain }) => domain.startsWith("."))).toEqual([]);
    await nothingBelieved();
  });

  it("removed by a script or an answer", async () => {
    await page.evaluate(
      (names) => {
        for (const name of names)
          for (const domain of ["", "; Domain=hub.localhost", `; Domain=${location.hostname}`])
            document.cookie = `${name}=; Path=/; Secure; Max-Age=0${domain}`;
      },
      [SESSION, VIEWER, NONCE],
    );
    const cookie = `${VIEWER}=; Path=/; Secure; Max-Age=0`;
    await page.goto(`${attacker.origin}/set-cookies?cookie=${encodeURIComponent(cookie)}`);
    await nothingBelieved();
  });
});

it("keeps an instance's cookies at that instance", async () => {
  await page.goto(
    `${attacker.origin}/set-cookies?cookie=${encodeURIComponent("mine=canary; Path=/; Domain=hub.localhost")}`,
  );
  await page.evaluate(() => (document.cookie = "script=canary; path=/"));
  const other = await context.newPage();
  await other.goto(
    `${victim.origin}/set-cookies?cookie=${encodeURIComponent("theirs=bird; Path=/; HttpOnly")}`,
  );
  await other.goto(`${victim.origin}/again`);
  await page.goto(`${attacker.origin}/again`);
  const [atMine, atTheirs] = [mine, theirs].map((upstream) => upstream?.seen.join("\n") ?? "");
  expect(atTheirs?.includes("theirs=bird")).toBe(true);
  expect(atTheirs?.includes("canary")).toBe(false);
  expect(atMine?.includes("mine=canary; script=canary")).toBe(true);
  expect(atMine?.includes("bird")).toBe(false);
  const own = jar.filter(({ name }) => name.startsWith("__Host-")).map(({ value }) => value);
  for (const all of [atMine, atTheirs]) expect(own.filter((value) => all?.includes(value))).toEqual([]);
});

/** The hub goes by its own cookies: they are what they were, this browser is signed in, and the other instance opens. */
async function nothingBelieved(): Promise<void> {
  const own = (cookies: Cookie[]) =>
    cookies
      .filter(
        ({ name, domain }) =>
          name.startsWith("__Host-orchestrator-") && domain !== new URL(attacker.origin).hostname,
      )
      .map(({ name, value, domain }) => `${domain} ${name}=${value}`)
      .toSorted();
  expect(own(await context.cookies())).toEqual(own(jar));
  for (const url of [`${stage.hub.origin}/tokens`, `${victim.origin}/opens`, `${attacker.origin}/opens`]) {
    await page.goto(url);
    expect(page.url()).toBe(url);
  }
}
