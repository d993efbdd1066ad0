import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { MARKUP } from "../../test/corpora/markup.ts";
import { ask, connected, signedIn, type Person } from "../../test/hub.ts";
import { routes } from "../routes.ts";

const OF_ANN = "laptop-abcdefghij";
const OF_EVE = "tower-abcdefghij";
const originOf = (label: string) => `http://${label}.hub.localhost:8787`;
const framed = (label: string) => `${routes.switcher}?from=${encodeURIComponent(label)}`;

let ann: Person;

beforeAll(async () => {
  ann = await signedIn("ann");
  await signedIn("eve");
  const hub = env.USER_HUB.getByName("ann");
  await hub.instanceConnected(connected("quiet"));
  await hub.instanceConnected(connected("laptop"));
  const sessions = [{ id: "1", project: "/p", state: "needs_permission" as const, since: Date.now() }];
  await hub.instanceConnected(connected("blocked", { sessions, status: "busy" }));
  await env.USER_HUB.getByName("eve").instanceConnected(connected("tower"));
});

/** One directive of an answer's Content-Security-Policy. */
function policyOf(response: Response, directive: string): string {
  const policy = response.headers.get("content-security-policy") ?? "";
  const found = policy.split("; ").filter((part) => part.startsWith(`${directive} `));
  expect(found).toHaveLength(1);
  return found[0]?.slice(directive.length + 1) ?? "";
}

describe("as a piece for the palette", () => {
  test("offers one's own instances, what needs somebody first, and what each takes", async () => {
    const response = await ask(routes.switcher, { person: ann });
    const text = await response.text();
    expect([...text.matchAll(/data-item="instance:([^"]*)"/g)].map(([, label]) => label)).toEqual([
      "blocked-abcdefghij",
      OF_ANN,
      "quiet-abcdefghij",
    ]);
    expect(text).toContain(`data-href="${originOf(OF_ANN)}/"`);
    expect(text).toContain(`data-can="refresh rename disconnect"`);
    expect(text).not.toContain("tower");
    expect(text).not.toContain("<html");
    expect(policyOf(response, "frame-ancestors")).toBe("'none'");
  });

  test("is empty without instances, and refused without a sign-in", async () => {
    expect(await (await ask(routes.switcher, { person: await signedIn("new") })).text()).toBe("<ul></ul>");
    const response = await ask(routes.switcher, { headers: { "hx-request": "true" } });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: "sign_in_required" } });
  });
});

describe("in the frame of an instance's mark", () => {
  test("is for the origin of that instance alone, and keeps every other header", async () => {
    const [inFrame, plain] = [
      await ask(framed(OF_ANN), { person: ann }),
      await ask(routes.settings, { person: ann }),
    ];
    expect(policyOf(inFrame, "frame-ancestors")).toBe(originOf(OF_ANN));
    expect(policyOf(inFrame, "form-action")).toBe(`'self' ${originOf(OF_ANN)}`);
    const others = ({ headers }: Response) =>
      [...headers]
        .filter(([name]) => name !== "content-length")
        .map(([name, value]) => [name, value.replace(/(frame-ancestors|form-action)[^;]*/g, "$1")]);
    expect(others(inFrame)).toEqual(others(plain));
    const text = await inFrame.text();
    for (const label of [OF_ANN, "blocked-abcdefghij"]) expect(text).toContain(`href="${originOf(label)}/"`);
    expect(text).not.toContain("tower");
    expect(text).toMatch(new RegExp(`href="${originOf(OF_ANN)}/"[^>]* aria-current="page"`));
  });

  test.each([
    ["another person's", OF_EVE],
    ["nobody's", "nobody-abcdefghij"],
    ["one named by its client id", "laptop"],
    ["a list of origins", `${OF_ANN}.hub.localhost:8787 https://evil.example`],
    ["another directive", `${OF_ANN}; script-src *`],
    ["any", "*"],
    ["none", ""],
  ])("the page of %s may not show it", async (_whose, label) => {
    const response = await ask(framed(label), { person: ann });
    expect(response.status).toBe(200);
    expect(policyOf(response, "frame-ancestors")).toBe("'none'");
    expect(policyOf(response, "form-action")).toBe("'self'");
    expect(policyOf(response, "script-src")).toBe("'self'");
  });

  test("leads out of the frame, and changes nothing but whether the mark is shown", async () => {
    const text = await (await ask(`${framed(OF_ANN)}&next=%2Fchat%3Fx%3D1`, { person: ann })).text();
    for (const [link] of text.matchAll(/<a\b[^>]*>/g)) expect(link).toContain('target="_top"');
    const forms = [...text.matchAll(/<form.*?<\/form>/gs)].map(([form]) => form);
    expect(forms).toHaveLength(1);
    expect(forms[0]).toContain(`method="post" action="${routes.settings}" target="_top"`);
    expect(
      [...(forms[0] ?? "").matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, ...pair]) => pair),
    ).toEqual([
      ["mark", "off"],
      ["from", OF_ANN],
      ["next", "/chat?x=1"],
    ]);
    const elsewhere = await ask(`${framed(OF_ANN)}&next=%2F%2Fevil.example`, { person: ann });
    expect(await elsewhere.text()).not.toContain("evil");
    expect(text).not.toContain("hx-");
    expect([...text.matchAll(/<script src="[^"]*?([\w-]+\.js)"/g)].map(([, file]) => file)).toEqual([
      "theme.js",
      "app.js",
      "switcher.js",
    ]);
  });

  test("nothing in it can be tried by a fragment", async () => {
    const text = await (await ask(framed(OF_ANN), { person: ann })).text();
    const ids = [...text.matchAll(/ (?:id|name)="([^"]*)"/g)].map(([, id = ""]) => id);
    const known = /^(glyph|icon)-|^(viewport|color-scheme|mark|from|next)$/;
    expect(ids.filter((id) => !known.test(id))).toEqual([]);
  });

  test("says so where nobody is signed in, and does not lead to a page that no frame shows", async () => {
    const response = await ask(framed(OF_ANN));
    expect([response.status, response.headers.get("location")]).toEqual([401, null]);
    expect(policyOf(response, "frame-ancestors")).toBe(originOf(OF_ANN));
    const text = await response.text();
    expect(text).toContain(`<a href="${routes.dashboard}" target="_top">Sign in at the hub</a>`);
    expect(text).not.toMatch(/abcdefghij|<form/);
    const elsewhere = await ask(framed(OF_ANN), { headers: { "sec-fetch-site": "cross-site" } });
    expect(await elsewhere.text()).toContain("Your other instances are on the dashboard.");
    const bad = await ask(framed("*"));
    expect(bad.headers.get("location")).toContain(routes.signIn);
    expect(policyOf(bad, "frame-ancestors")).toBe("'none'");
  });

  test("nothing else may be shown in a frame, whatever it is asked with", async () => {
    for (const path of [
      routes.dashboard,
      routes.settings,
      routes.tokens,
      `${routes.switcher}/`,
      "/nowhere",
    ]) {
      const response = await ask(`${path}?from=${OF_ANN}`, { person: ann });
      expect([path, policyOf(response, "frame-ancestors")]).toEqual([path, "'none'"]);
    }
  });
});

describe("names that mean ill", () => {
  test.each(Object.entries(MARKUP))("are text in both: %s", async (_what, text) => {
    const person = await signedIn("hostile");
    const metadata = { hostname: text.slice(0, 255), project: `/home/${text}`, platform: "linux" };
    await env.USER_HUB.getByName("hostile").instanceConnected(connected("hostile", { metadata }));
    for (const path of [routes.switcher, framed("hostile-abcdefghij")]) {
      const page = await (await ask(path, { person })).text();
      expect(page).not.toMatch(/<(img|svg\/|h1>|hx-)|<script>|<svg onload|<[^>]*" (onmouseover|hx-get)=/);
    }
  });
});
