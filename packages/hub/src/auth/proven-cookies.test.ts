import { expect, it } from "vitest";
import { ProvenCookies } from "./proven-cookies.ts";

const viewer = { userId: "github:1", login: "ann", sessionId: "s", showsMark: true };
const proof = (until: number) => ({ viewer, until, fresh: true });

it("knows a cookie by its exact value, at its label, under its secret", () => {
  const cookies = new ProvenCookies();
  cookies.remember("secret", "a", "value", proof(1000));
  expect(cookies.recall("secret", "a", "value", 0)).toEqual(proof(1000));
  expect(cookies.recall("secret", "a", "Value", 0)).toBeUndefined();
  expect(cookies.recall("secret", "a", "value ", 0)).toBeUndefined();
  expect(cookies.recall("secret", "b", "value", 0)).toBeUndefined();
  expect(cookies.recall("another", "a", "value", 0)).toBeUndefined();
});

it("forgets it when it is to be checked again, and all when the secret is another", () => {
  const cookies = new ProvenCookies();
  cookies.remember("secret", "a", "value", proof(1000));
  expect(cookies.recall("secret", "a", "value", 999)).toBeDefined();
  expect(cookies.recall("secret", "a", "value", 1000)).toBeUndefined();
  expect(cookies.size).toBe(0);
  cookies.remember("secret", "a", "value", proof(1000));
  cookies.remember("another", "a", "other", proof(1000));
  expect(cookies.recall("secret", "a", "value", 0)).toBeUndefined();
  expect(cookies.size).toBe(1);
});

it("is bounded, and drops the oldest", () => {
  const cookies = new ProvenCookies();
  for (let n = 0; n < 2000; n++) cookies.remember("secret", "a", String(n), proof(1000));
  expect(cookies.size).toBe(500);
  expect(cookies.recall("secret", "a", "1499", 0)).toBeUndefined();
  expect(cookies.recall("secret", "a", "1500", 0)).toBeDefined();
});
