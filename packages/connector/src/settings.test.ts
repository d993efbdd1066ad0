import { expect, test } from "vitest";
import { parseSettings, SettingsError } from "./settings.ts";

const token = "orch_0123456789abcdef";
const url = "https://hub.example.com";

function messageOf(flags: Parameters<typeof parseSettings>[0], env: NodeJS.ProcessEnv = {}): string {
  try {
    parseSettings(flags, env);
    return "";
  } catch (error) {
    if (error instanceof SettingsError) return error.message;
    throw error;
  }
}

test("flags go before the environment", () => {
  const env = {
    ORCHESTRATOR_URL: "https://other.example.com",
    ORCHESTRATOR_TOKEN: token,
    ORCHESTRATOR_CLIENT_ID: "a",
  };
  expect(parseSettings({ url, clientId: "b" }, env)).toMatchObject({ url, token, clientId: "b" });
  expect(parseSettings({}, env)).toMatchObject({ url: "https://other.example.com", clientId: "a" });
});

test.each(["https://hub.example.com/", "https://hub.example.com/dashboard?x#y"])(
  "%s is known by its origin",
  (address) => {
    expect(parseSettings({ url: address, token }, {}).url).toBe(url);
  },
);

test.each(["http://hub.localhost:8787", "http://localhost:1", "http://127.0.0.1:8787", "http://[::1]:8787"])(
  "plain http to %s is fine",
  (address) => expect(parseSettings({ url: address, token }, {}).url).toBe(address),
);

test.each([
  "http://hub.example.com",
  "http://10.0.0.1",
  "http://127.0.0.1.evil.com",
  "ftp://x",
  "hub",
  "https://a:b@c",
  "ws://x",
])("the hub cannot be %s, and the message says so", (address) => {
  expect(messageOf({ url: address, token })).toContain(
    `--url or ORCHESTRATOR_URL: "${address}" must be https://`,
  );
});

test.each([
  "http://127.0.0.1:3001",
  "http://127.9.9.9:1",
  "http://localhost:3001/",
  "http://[::1]:3001",
  "http://0x7f.1:80",
])("the target can be %s", (target) =>
  expect(parseSettings({ url, token, target }, {}).target).toBe(new URL(target).origin),
);

test.each([
  "http://10.0.0.1:3001",
  "http://example.com",
  "http://localhost.evil.com",
  "http://127.0.0.1.evil.com",
  "http://evil.com#127.0.0.1",
  "http://127.0.0.1@evil.com",
  "http://user@127.0.0.1",
  "https://127.0.0.1:3001",
  "http://0.0.0.0:3001",
  "http://169.254.169.254",
  "http://[::]:3001",
  "//127.0.0.1",
  "127.0.0.1:3001",
  "",
])("the target cannot be %j", (target) => {
  expect(messageOf({ url, token, target })).toMatch(/^--target: /);
});

test("what is missing is named, all of it at once", () => {
  const message = messageOf({});
  expect(message.split("\n")).toHaveLength(2);
  expect(message).toMatch(/ORCHESTRATOR_URL: is missing/);
  expect(message).toMatch(/ORCHESTRATOR_TOKEN.*: is missing/);
});

test("a token that will not do is not shown", () => {
  expect(messageOf({ url, token: "secret with spaces" })).toBe(
    "ORCHESTRATOR_TOKEN or --token: what was given must be a token from the hub's page for tokens",
  );
});

test("names and ids are bounded", () => {
  expect(messageOf({ url, token, clientId: "a b" })).toMatch(/^--client-id/);
  expect(messageOf({ url, token, clientId: "a".repeat(129) })).toMatch(/^--client-id/);
  expect(messageOf({ url, token, name: "a".repeat(256) })).toMatch(/^--name/);
});
