/** The page on which path mode is allowed for an instance: what it says, of what, and what its form does. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, test } from "vitest";
import { MARKUP } from "../../test/corpora/markup.ts";
import { OPEN_REDIRECTS } from "../../test/corpora/open-redirects.ts";
import { ask, connected, instanceOf, signedIn, type Person } from "../../test/hub.ts";
import { OPENED, pathInstance, trustPath, type PathInstance } from "../../test/path-viewer.ts";
import { routes } from "../routes.ts";

let mine: PathInstance;
let eve: Person;
let page: string;

beforeAll(async () => {
  mine = await pathInstance("ann", "consent");
  await trustPath("ann", mine.label, false);
  eve = await signedIn("eve");
  page = routes.clientPath(mine.label);
});
afterEach(() => trustPath("ann", mine.label, false));

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const send = (fields: Record<string, string>, headers: Record<string, string> = {}, person = mine.person) =>
  ask(page, {
    method: "POST",
    person,
    headers: { ...FORM, ...headers },
    body: new URLSearchParams(fields).toString(),
  });
const read = async (path = page, person = mine.person) => (await ask(path, { person })).text();
const isTrusted = async () => (await instanceOf(env.USER_HUB.getByName("ann"), "consent"))?.pathTrusted;

describe("the page", () => {
  test("says what is trusted, what for, and what there is instead, before it is allowed", async () => {
    const html = await read();
    expect(html).toContain("Path mode is not allowed for this instance");
    expect(html).toContain("can do at this hub what you can");
    expect(html).toContain("allow path mode for others");
    expect(html).toContain(`href="http://${mine.label}.hub.localhost:8787/"`);
    expect(html).not.toContain("You are an administrator");
    expect(html).toContain("Allow path mode");
  });

  test("leads on to what was asked for once it is allowed, and is found by the instance's page", async () => {
    const asked = await mine.look("/chat?x=1", { headers: OPENED });
    const consent = asked.headers.get("location") ?? "";
    expect(await read(consent)).toContain(
      `<input type="hidden" name="next" value="${mine.prefix}/chat?x=1"/>`,
    );
    const allowed = await send({ path: "allow", next: `${mine.prefix}/chat?x=1` });
    expect([allowed.status, await isTrusted()]).toEqual([303, true]);
    const after = await read(allowed.headers.get("location") ?? "");
    expect(after).toContain("Path mode is allowed for this instance");
    expect(after).toContain(`href="${mine.prefix}/chat?x=1"`);
    expect((await mine.look("/chat?x=1", { headers: OPENED })).status).toBe(200);
    expect(await read(routes.client(mine.label))).toContain(`href="${page}">allowed</a>`);
    expect(await read(routes.settings)).toContain(`href="${page}"`);
    const taken = await send({ path: "take-back" });
    expect([taken.status, taken.headers.get("location"), await isTrusted()]).toEqual([303, page, false]);
    expect(await read(routes.client(mine.label))).toContain(`href="${page}">not allowed</a>`);
    expect(await read(routes.settings)).not.toContain(`href="${page}"`);
  });

  test("tells an administrator what more it is for them", async () => {
    const root = await pathInstance("root", "consent");
    const admin = await signedIn("root", "admin");
    expect(await read(routes.clientPath(root.label), admin)).toContain("You are an administrator");
  });

  test("of an instance of version 1, and of a hub with one host name, says why there is no other way", async () => {
    await env.USER_HUB.getByName("ann").instanceConnected(connected("old", { protocol: 1 }));
    expect(await read(routes.clientPath("old"))).toContain("speaks version 1");
    const { INSTANCE_HOST } = env;
    Object.assign(env, { INSTANCE_HOST: "none" });
    try {
      expect(await read()).toContain("this hub has one host name only");
      const cards = await (await ask(routes.switcher, { person: mine.person })).text();
      expect(cards).toContain(`data-href="http://hub.localhost:8787${mine.prefix}/"`);
      const opened = await ask(`${routes.open(mine.label)}?next=/x`, {
        person: mine.person,
        headers: OPENED,
      });
      expect(opened.headers.get("location")).toBe(`${mine.prefix}/x`);
    } finally {
      Object.assign(env, { INSTANCE_HOST });
    }
  });

  test("tells an owner who is not on the list that it does not open for them in path mode either", async () => {
    const said = "not on this instance's list";
    expect(await read()).not.toContain(said);
    const listed = connected("others", { access: { users: ["somebody-else"] } });
    await env.USER_HUB.getByName("ann").instanceConnected(listed);
    expect((await read(routes.clientPath("others"))).replaceAll("&#39;", "'")).toContain(said);
  });

  test.each(Object.entries(MARKUP))("shows %s as text", async (_name, text) => {
    const metadata = { hostname: text.slice(0, 255), project: "", platform: "linux" };
    await env.USER_HUB.getByName("ann").instanceConnected(connected("hostile", { metadata }));
    const html = await read(routes.clientPath("hostile"));
    expect(html).not.toMatch(/<(?:img|svg\/onload|script>alert|h1><bdi><img)/);
    expect(html.match(/<script>/g)).toBeNull();
  });
});

describe("the form", () => {
  test("is no other person's, and no other site's", async () => {
    expect((await send({ path: "allow" }, {}, eve)).status).toBe(404);
    for (const headers of [
      { origin: "" },
      { origin: "http://evil.example" },
      { "sec-fetch-site": "same-site" },
    ])
      expect((await send({ path: "allow" }, headers)).status).toBe(403);
    const own = `http://${mine.label}.hub.localhost:8787`;
    expect((await send({ path: "allow" }, { origin: own })).status).toBe(403);
    expect(await isTrusted()).toBe(false);
  });

  test.each([{}, { path: "" }, { path: "yes" }])("does nothing with %j", async (fields) => {
    expect((await send(fields)).status).toBe(400);
    expect(await isTrusted()).toBe(false);
  });

  test("leads nowhere but to the instance", async () => {
    const others = [
      "/dashboard",
      "/clients/other/proxy/x",
      `${mine.prefix}/../../../dashboard`,
      `${mine.prefix}x`,
    ];
    for (const next of [...OPEN_REDIRECTS, ...others]) {
      const { headers } = await send({ path: "allow", next });
      expect([next, headers.get("location")]).toEqual([
        next,
        `${page}?next=${encodeURIComponent(`${mine.prefix}/`)}`,
      ]);
      const html = await read(`${page}?next=${encodeURIComponent(next)}`);
      expect(/class="button primary" href="([^"]*)"/.exec(html)?.[1]).toBe(`${mine.prefix}/`);
    }
  });
});
