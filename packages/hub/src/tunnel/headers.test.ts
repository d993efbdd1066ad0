import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SPLITTING_VALUES, SPOOFED_FIELDS } from "../../test/corpora/headers.ts";
import { requestFields, responseHeaders } from "./headers.ts";

const viewer = {
  userId: "github:1",
  login: "ann",
  sessionId: "session-1",
  checkAt: 0,
  origin: "http://a.hub.localhost:8787",
  prefix: "",
};
const sent = (init: [string, string][]) => new Map(requestFields(new Headers(init), viewer));

describe("from browser to instance", () => {
  it("ends hop-by-hop fields and those that Connection names, in any case", () => {
    const fields = sent([
      ["Connection", "Close, X-Secret-Hop"],
      ["x-secret-hop", "1"],
      ["Keep-Alive", "5"],
      ["TE", "trailers"],
      ["Transfer-Encoding", "chunked"],
      ["Upgrade", "websocket"],
      ["Proxy-Authorization", "x"],
      ["x-kept", "1"],
    ]);
    expect([...fields.keys()].toSorted()).toEqual([
      "x-forwarded-host",
      "x-forwarded-proto",
      "x-kept",
      "x-orchestrator-user-id",
      "x-orchestrator-username",
    ]);
  });

  it("says who looks as the hub verified it, whatever the browser says", () => {
    fc.assert(
      fc.property(
        fc.stringMatching(/^[xX][-_](?:orchestrator|ORCHESTRATOR|Forwarded)[-_][a-zA-Z_-]{1,20}$/),
        (name) => {
          const fields = requestFields(new Headers([[name, "forged"]]), viewer);
          expect(fields.filter(([, value]) => value.includes("forged"))).toEqual([]);
        },
      ),
    );
    expect(sent([["X-Orchestrator-User-Id", "github:2"]]).get("x-orchestrator-user-id")).toBe("1");
  });

  it("says what the list of an instance asks for, and nothing that a browser says under such names", () => {
    const name = fc
      .tuple(
        fc.constantFrom("user-id", "username", "organizations", "teams"),
        fc.array(fc.boolean(), { minLength: 30, maxLength: 30 }),
        fc.constantFrom("-", "_"),
      )
      .map(([last, upper, dash]) =>
        Array.from(`x-orchestrator-${last}`, (letter, index) =>
          letter === "-" ? dash : upper[index] ? letter.toUpperCase() : letter,
        ).join(""),
      );
    const told = { ...viewer, organizations: ["acme"], teams: ["acme/core", "acme/ops"] };
    fc.assert(
      fc.property(fc.array(name, { minLength: 1, maxLength: 4 }), fc.boolean(), (names, isNamed) => {
        const sentFields: [string, string][] = names.map((one) => [one, "evil"]);
        if (isNamed) sentFields.push(["connection", names.join(", ")]);
        const fields = requestFields(new Headers(sentFields), told);
        expect(fields.filter(([field]) => /^x[-_]orchestrator/.test(field))).toEqual([
          ["x-orchestrator-user-id", "1"],
          ["x-orchestrator-username", "ann"],
          ["x-orchestrator-organizations", "acme"],
          ["x-orchestrator-teams", "acme/core, acme/ops"],
        ]);
      }),
    );
    const local = requestFields(new Headers(), { ...viewer, userId: "local", login: "local" });
    expect(local.slice(-2)).toEqual([
      ["x-orchestrator-user-id", "local"],
      ["x-orchestrator-username", "local"],
    ]);
  });

  it.each(SPOOFED_FIELDS)("%s: %s is the hub's to say, not the browser's", (name, value) => {
    expect(requestFields(new Headers([[name, value]]), viewer).map(([, told]) => told)).not.toContain(value);
  });

  it.each(SPLITTING_VALUES)("%j starts no field of its own", (value) => {
    for (const name of ["x-a", "cookie", "referer", "origin"]) {
      let headers: Headers;
      try {
        headers = new Headers([[name, value]]);
      } catch {
        // The platform takes no such value in the first place.
        continue;
      }
      for (const [field, told] of requestFields(headers, viewer)) {
        expect(`${field}${told}`).not.toMatch(/[\r\n\0]/);
      }
    }
  });

  it.each([
    ["__Host-orchestrator-session=s", undefined],
    ["a=1; __Host-orchestrator-viewer=v; b=2", "a=1; b=2"],
    ["__host-ORCHESTRATOR-nonce=n; a=1", "a=1"],
    ["  __Host-orchestrator-x = 1;a=1", "a=1"],
    ["a=__Host-orchestrator-session", "a=__Host-orchestrator-session"],
    ["=__Host-orchestrator-session=s; a=1", "a=1"],
    ["a=1, __Host-orchestrator-nonce=n; b=2", "a=1; b=2"],
    ["a=1,2; b=x, y", "a=1,2; b=x, y"],
  ])("cookies %j become %j", (cookie, kept) => {
    expect(sent([["cookie", cookie]]).get("cookie")).toBe(kept);
  });
});

describe("from instance to browser", () => {
  it.each([
    ["a=1; Domain=hub.localhost; Path=/", "a=1; Path=/"],
    ["a=1; DOMAIN = .localhost;HttpOnly", "a=1;HttpOnly"],
    ["a=1; domain", "a=1"],
    ["a=domain=x; Path=/", "a=domain=x; Path=/"],
    ["__Host-orchestrator-session=stolen; Path=/; Secure", undefined],
    ["__HOST-orchestrator-viewer =stolen", undefined],
    ["=__Host-orchestrator-session=stolen", undefined],
  ])("Set-Cookie %j becomes %j", (cookie, kept) => {
    expect(responseHeaders([["set-cookie", cookie]]).get("set-cookie")).toBe(kept ?? null);
  });

  it("nothing that speaks for the hub or for other hosts, nothing that a shared cache may keep", () => {
    const headers = responseHeaders([
      ["clear-site-data", '"cookies"'],
      ["alt-svc", 'h3=":443"'],
      ["set-cookie2", "a=1; Domain=hub.localhost"],
      ["cdn-cache-control", "public"],
      ["surrogate-control", "max-age=1"],
      ["strict-transport-security", "max-age=1; includeSubDomains"],
      ["x-orchestrator-user-id", "x"],
      ["cache-control", "Public, max-age=60, s-maxage=600, immutable"],
      ["connection", "x-hop"],
      ["x-hop", "1"],
      ["x-kept", "1"],
    ]);
    expect([...headers.keys()].toSorted()).toEqual(["cache-control", "content-security-policy", "x-kept"]);
    expect(headers.get("cache-control")).toBe("private, max-age=60, immutable");
  });

  it.each([
    [[], "private"],
    [["max-age=31536000, immutable"], "private, max-age=31536000, immutable"],
    [["no-store"], "no-store"],
    [["private, max-age=1"], "private, max-age=1"],
    [["public", "s-maxage=5"], "private"],
  ])("Cache-Control %j becomes %j", (values, expected) => {
    const fields = values.map((value): [string, string] => ["cache-control", value]);
    expect(responseHeaders(fields).get("cache-control")).toBe(expected);
  });

  it("only an instance's own pages may frame it, whatever it says itself", () => {
    expect(responseHeaders([]).get("content-security-policy")).toBe("frame-ancestors 'self'");
    const own = responseHeaders([["content-security-policy", "default-src *; frame-ancestors *"]]);
    // Two policies in one field: both hold.
    expect(own.get("content-security-policy")).toBe(
      "default-src *; frame-ancestors *, frame-ancestors 'self'",
    );
  });

  it.each(["", "0x3", "1e3", "3, 9", "-1", "99999999999999999999"])(
    "a Content-Length of %j is dropped",
    (length) => {
      expect(responseHeaders([["content-length", length]]).get("content-length")).toBeNull();
    },
  );
});
