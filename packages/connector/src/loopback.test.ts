import { expect, test } from "vitest";
import { isLoopbackHost, resolveLoopback } from "./loopback.ts";

test.each(["localhost", "127.0.0.1", "127.1.2.3", "[::1]"])("%s is this machine", (host) => {
  expect(isLoopbackHost(host)).toBe(true);
});

test.each([
  "localhost.evil.example",
  "127.0.0.1.evil.example",
  "evil.example",
  "10.0.0.1",
  "0.0.0.0",
  "x.localhost",
  "",
])("%j is not, or not for certain", (host) => {
  expect(isLoopbackHost(host)).toBe(false);
});

test("names below localhost lead to loopback, as in browsers", async () => {
  const resolve = (name: string, all: boolean) =>
    new Promise((done) => {
      resolveLoopback(name, { all }, (_error, address) => done(address));
    });
  expect(await resolve("hub.localhost", false)).toBe("127.0.0.1");
  expect(await resolve("localhost", true)).toEqual([
    { address: "127.0.0.1", family: 4 },
    { address: "::1", family: 6 },
  ]);
});
