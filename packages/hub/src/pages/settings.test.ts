/** The settings of a person, and what a browser needs to install the hub. */
import { env } from "cloudflare:workers";
import { beforeAll, describe, expect, it } from "vitest";
import { ask, signedIn, type Person } from "../../test/hub.ts";
import { setShowsMark, showsMark } from "../db/users.ts";
import { routes } from "../routes.ts";
import worker from "../../public/service-worker.js?raw";

let ann: Person;
let bob: Person;

beforeAll(async () => {
  [ann, bob] = [await signedIn("ann"), await signedIn("bob")];
});

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const send = (fields: Record<string, string>, person = ann) =>
  ask(routes.settings, {
    method: "POST",
    person,
    headers: FORM,
    body: new URLSearchParams(fields).toString(),
  });

describe("the mark", () => {
  it("is hidden and shown again by a plain form, for this person alone", async () => {
    for (const [mark, words] of [
      ["off", "It is hidden."],
      ["on", "It is shown."],
    ] as const) {
      const answer = await send({ mark });
      expect([answer.status, answer.headers.get("location")]).toEqual([303, routes.settings]);
      expect(await showsMark(env.DB, ann.userId)).toBe(mark === "on");
      expect(await showsMark(env.DB, bob.userId)).toBe(true);
      expect(await (await ask(routes.settings, { person: ann })).text()).toContain(words);
    }
  });

  it("leads back to the instance in which it was hidden, which asks who looks anew", async () => {
    const at = "http://laptop-abcdefghij.hub.localhost:8787/.orchestrator/enter?next=";
    for (const [next, expected] of [
      ["/session/1?a=b", encodeURIComponent("/session/1?a=b")],
      ["//evil.example", "%2F"],
      ["https://evil.example", "%2F"],
      [undefined, "%2F"],
    ] as const) {
      const answer = await send({ mark: "off", from: "laptop-abcdefghij", ...(next && { next }) });
      expect(answer.headers.get("location")).toBe(at + expected);
    }
    await setShowsMark(env.DB, ann.userId, true);
  });

  it.each([
    {},
    { mark: "" },
    { mark: "maybe" },
    { mark: "off", from: "" },
    { mark: "off", from: "evil.example" },
    { mark: "off", from: "a.b/" },
  ])("stays what it is where the form is %j", async (fields) => {
    expect((await send(fields as Record<string, string>)).status).toBe(400);
    expect(await showsMark(env.DB, ann.userId)).toBe(true);
  });

  it("is nobody else's to hide", async () => {
    const body = new URLSearchParams({ mark: "off" }).toString();
    for (const origin of ["http://evil.example", "http://laptop-abcdefghij.hub.localhost:8787", "null"]) {
      const headers = { ...FORM, origin };
      const answer = await ask(routes.settings, { method: "POST", person: ann, headers, body });
      expect([origin, answer.status]).toEqual([origin, 403]);
    }
    expect(await showsMark(env.DB, ann.userId)).toBe(true);
  });
});

describe("what a browser installs", () => {
  it("is described by a manifest that nobody must be signed in for", async () => {
    const answer = await ask(routes.manifest);
    expect(answer.headers.get("content-type")).toBe("application/manifest+json");
    expect(await answer.json()).toMatchObject({ start_url: "/dashboard", scope: "/", display: "standalone" });
  });

  it("shows a page without anybody's data while the hub is away, the same for everybody", async () => {
    const [theirs, nobodys] = [await ask(routes.offline, { person: ann }), await ask(routes.offline)];
    const page = await theirs.text();
    expect(await nobodys.text()).toBe(page);
    expect(page).toContain("The hub does not answer");
    expect(page).not.toContain("Sign out");
    expect(theirs.headers.getSetCookie()).toEqual([]);
  });

  it("keeps the files that page asks for", async () => {
    const page = await (await ask(routes.offline)).text();
    const asked = [...page.matchAll(/\/\.orchestrator\/assets\/dev\/([\w.-]+)/g)].map(
      ([, file]) => file ?? "",
    );
    const kept = JSON.parse(/const FILES = (\[.*?\])/s.exec(worker)?.[1] ?? "[]") as string[];
    expect(new Set(kept)).toEqual(new Set(asked));
  });

  it("is asked for with the policy that lets a worker of the hub's own run", async () => {
    const policy = (await ask(routes.settings, { person: ann })).headers.get("content-security-policy");
    expect(policy).toContain("worker-src 'self'");
    expect(policy).toContain("manifest-src 'self'");
  });
});
