import { createHmac } from "node:crypto";
import { expect, test } from "vitest";
import { isTokenShaped, readTokenTimes, signToken } from "./jwt.ts";
import { PLACEHOLDER_TOKEN } from "./placeholder.ts";

test("signs what claudecodeui signs: user and name, seven days, HS256", () => {
  const now = Date.UTC(2026, 0, 1);
  const token = signToken({ id: 1, username: "dev" }, "secret", now);
  const [header = "", claims = "", signature] = token.split(".");
  const decode = (part: string): unknown => JSON.parse(Buffer.from(part, "base64url").toString());
  expect(decode(header)).toEqual({ alg: "HS256", typ: "JWT" });
  expect(decode(claims)).toEqual({ userId: 1, username: "dev", iat: now / 1000, exp: now / 1000 + 604_800 });
  expect(signature).toBe(createHmac("sha256", "secret").update(`${header}.${claims}`).digest("base64url"));
  expect(readTokenTimes(token)).toEqual({ issuedAt: now, expiresAt: now + 604_800_000 });
});

test.each(["", "a", "a.b", "a.b.c", "a.%%.c", `a.${Buffer.from("[]").toString("base64url")}.c`])(
  "%j has no times",
  (text) => expect(readTokenTimes(text)).toEqual({ issuedAt: undefined, expiresAt: undefined }),
);

test("the placeholder passes the page's check for a token, and never expires", () => {
  expect(isTokenShaped(PLACEHOLDER_TOKEN)).toBe(true);
  expect(readTokenTimes(PLACEHOLDER_TOKEN)).toEqual({ issuedAt: undefined, expiresAt: undefined });
  expect(encodeURIComponent(PLACEHOLDER_TOKEN)).toBe(PLACEHOLDER_TOKEN);
});
