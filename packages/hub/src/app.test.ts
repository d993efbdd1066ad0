import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, test } from "vitest";
import { ask, connected, cookiePair, HUB, signedIn, type Person } from "../test/hub.ts";
import { createLocalCode, LOCAL_USER } from "./auth/local.ts";
import { bindingHash, redeemViewerCode } from "./auth/viewer.ts";
import { upsertUser } from "./db/users.ts";
import { routes } from "./routes.ts";

let ann: Person;
let eve: Person;
const label = "laptop-abcdefghij";

beforeAll(async () => {
  [ann, eve] = [await signedIn("ann"), await signedIn("eve")];
  await env.USER_HUB.getByName("ann").instanceConnected(connected("laptop"));
});

describe("pages", () => {
  test.each([routes.client(label), routes.client("laptop"), routes.clientDetails(label)])(
    "%s is seen by its owner only",
    async (path) => {
      expect((await ask(path, { person: ann })).status).toBe(200);
      expect((await ask(path, { person: eve })).status).toBe(404);
    },
  );

  test("every answer is private and framed by nobody", async () => {
    for (const path of [routes.dashboard, routes.tokens, routes.signIn, "/nothing", routes.health]) {
      const { headers } = await ask(path, { person: ann });
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      const policy = headers.get("content-security-policy") ?? "";
      expect(policy).toContain("frame-ancestors 'none'");
      expect(policy).not.toContain("unsafe");
    }
  });

  test.each(["multipart/form-data", "multipart/form-data; boundary=x"])(
    "a body that is no form, whatever it says (%s), is the browser's mistake",
    async (type) => {
      const request = { method: "POST", person: ann, headers: { "content-type": type }, body: "x" };
      expect((await ask(routes.newToken, request)).status).toBe(400);
    },
  );

  test("a body that is too large is refused", async () => {
    const body = JSON.stringify({ name: "x".repeat(100_000) });
    expect((await ask(routes.apiTokens, { method: "POST", person: ann, body })).status).toBe(413);
  });
});

describe("local sign-in", () => {
  const link = async () => `${routes.localSignIn}?code=${await createLocalCode(env.DB)}`;

  beforeAll(async () => {
    await upsertUser(env.DB, LOCAL_USER);
  });

  test("a link signs in once", async () => {
    const path = await link();
    const response = await ask(path);
    expect(response.headers.get("location")).toBe(routes.dashboard);
    const person = { userId: "local", cookie: response.headers.getSetCookie().map(cookiePair).join("; ") };
    expect((await ask(routes.dashboard, { person })).status).toBe(200);
    const again = await ask(path);
    expect(again.status).toBe(401);
    expect(await again.text()).toContain("npm start");
  });

  test("only on the hub's own loopback name, and not for a browser that fetches ahead", async () => {
    const path = await link();
    for (const host of [
      "evil.example",
      "hub.localhost",
      "127.0.0.1:8787",
      "hub.localhost:8787.evil.example",
    ]) {
      expect((await ask(path, { headers: { host } })).status).toBe(404);
    }
    expect((await ask(path, { headers: { "sec-purpose": "prefetch;prerender" } })).status).toBe(400);
    expect((await ask(path)).status).toBe(302);
  });

  test("it leads back to where the browser wanted to go, if that is here", async () => {
    const asked = await ask(`${routes.open(label)}?next=%2Fchat`);
    const signInPath = asked.headers.get("location") ?? "";
    const page = await ask(signInPath);
    const cookie = cookiePair(page.headers.getSetCookie()[0] ?? "");
    const done = await ask(await link(), { headers: { cookie } });
    expect(done.headers.get("location")).toBe(`${routes.open(label)}?next=%2Fchat`);
    const elsewhere = await ask(`${routes.signIn}?next=//evil.example`);
    expect(elsewhere.headers.getSetCookie()).toEqual([]);
    const planted = { cookie: "__Host-orchestrator-next=%2F%2Fevil.example" };
    expect((await ask(await link(), { headers: planted })).headers.get("location")).toBe(routes.dashboard);
  });
});

describe("opening an instance", () => {
  const nonce = "nonce-of-this-browser";
  const openPath = async (next: string) =>
    `${routes.open(label)}?${new URLSearchParams({ next, binding: await bindingHash(nonce) }).toString()}`;

  test("gives its owner a code for that instance and browser", async () => {
    const response = await ask(await openPath("/chat?x=1"), { person: ann });
    const target = new URL(response.headers.get("location") ?? "");
    expect(target.origin).toBe(`http://${label}.hub.localhost:8787`);
    expect(target.searchParams.get("next")).toBe("/chat?x=1");
    const code = target.searchParams.get("code") ?? "";
    expect(await redeemViewerCode(env, { code, label, nonce })).toMatchObject({
      userId: "ann",
      login: "ann",
    });
  });

  test("is refused to others, for bad labels, and to places elsewhere", async () => {
    expect((await ask(await openPath("/"), { person: eve })).status).toBe(403);
    expect((await ask(await openPath("//evil.example"), { person: ann })).status).toBe(400);
    expect((await ask(`${routes.open(label)}?binding=short`, { person: ann })).status).toBe(400);
    expect((await ask(routes.open("laptop"), { person: ann })).status).toBe(403);
    for (const dest of ["iframe", "frame", "embed", "empty"]) {
      const headers = { "sec-fetch-mode": "navigate", "sec-fetch-dest": dest };
      expect((await ask(routes.open(label), { person: ann, headers })).status).toBe(403);
    }
    expect((await ask("/open/UPPER", { person: ann })).status).toBe(404);
  });
});

describe("what instances say of themselves", () => {
  const HOSTILE = [
    `<script>alert(1)</script>`,
    `"><img src=x onerror=alert(1)>`,
    `' onmouseover='alert(1)`,
    `</li></ul><svg/onload=alert(1)>`,
    `<hx-partial hx-target="body">gone</hx-partial>`,
    `javascript:alert(1)`,
    "\u202egnp.exe",
    "👩‍👩‍👧‍👦".repeat(10),
    "x".repeat(255),
  ];

  test("is text on every page", async () => {
    const mallory = await signedIn("mallory");
    const hub = env.USER_HUB.getByName("mallory");
    for (const [index, text] of HOSTILE.entries()) {
      const upstream = { name: text.slice(0, 64), version: text.slice(0, 64) };
      const metadata = { hostname: text, project: `/p/${text}`, platform: text.slice(0, 64), upstream };
      const session = {
        id: text.slice(0, 128),
        title: text,
        project: text,
        state: "failed" as const,
        since: 1,
      };
      await hub.instanceConnected(
        connected(`c${index}`, {
          metadata,
          software: upstream,
          sessions: [session],
          connectedAt: Date.now(),
        }),
      );
    }
    const paths = HOSTILE.flatMap((_, index) => [
      routes.client(`c${index}`),
      routes.clientDetails(`c${index}`),
    ]);
    for (const path of [routes.dashboard, ...paths]) {
      const text = await (await ask(path, { person: mallory })).text();
      expect(text).not.toMatch(/<script>|<img|<svg\/|<hx-partial|\u202e/);
      expect(text).not.toMatch(/<[^>"]*(?:"[^"]*"[^>"]*)*\son\w+=/);
      expect(text).not.toMatch(/(?:href|src|action)="\s*javascript:/);
    }
  });
});

test("the front door leads to the dashboard, or to the sign-in", async () => {
  expect((await ask("/", { person: ann })).headers.get("location")).toBe(routes.dashboard);
  expect((await ask("/")).headers.get("location")).toBe(routes.signIn);
  expect(HUB).toBe("http://hub.localhost:8787");
});
