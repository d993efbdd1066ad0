/** The published JSON Schema says the same of a config file as the connector that reads it. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Validator } from "@cfworker/json-schema";
import { afterAll, expect, test } from "vitest";
import schema from "../schema/orchestrator.schema.json" with { type: "json" };
import { INTERVALS, SETTING_NAMES, SETTINGS } from "./settings-table.ts";
import { inspectSettings } from "./settings.ts";

const folder = mkdtempSync(path.join(tmpdir(), "schema-"));
afterAll(() => rmSync(folder, { recursive: true }));

const { properties } = schema.properties.orchestrator;

test("has every key, and no other", () => {
  expect(Object.keys(properties).toSorted()).toEqual(
    SETTING_NAMES.map((name) => SETTINGS[name].key).toSorted(),
  );
});

test("says the same defaults and ranges", () => {
  const { reconnect, heartbeat } = INTERVALS;
  expect(properties.reconnect_interval).toMatchObject({ ...range(reconnect), default: reconnect.usual });
  expect(properties.heartbeat_interval).toMatchObject({ ...range(heartbeat), default: heartbeat.usual });
});

const range = ({ minimum, maximum }: { minimum: number; maximum: number }) => ({ minimum, maximum });

const JUNK = [
  "",
  " ",
  "a b",
  "é",
  "x".repeat(5000),
  "127.0.0.1",
  0,
  -1,
  1.5,
  1e9,
  true,
  false,
  null,
  [],
  {},
  [""],
  [1],
];

/** For each key what may stand there and what may not, beside what stands nowhere. */
const CORPUS: Record<string, unknown[]> = {
  enabled: ["true", 1],
  url: [
    "https://hub.example.com",
    "https://hub.example.com:8443/x?y#z",
    "https://a@b",
    "https://a:b@c.example",
    "https://",
    "http://hub.example.com",
    "http://localhost",
    "http://localhost:8787/",
    "http://hub.localhost:8787",
    "http://localhost.evil.com",
    "http://127.0.0.1:1",
    "http://127.0.0.1.evil.com",
    "http://[::1]:1",
    "http://10.0.0.1",
    "ftp://x",
    "ws://localhost",
    "hub.example.com",
  ],
  token: ["1234567", "12345678", "with space", "x".repeat(512), "x".repeat(513), "orc_abcdefgh"],
  client_id: ["a", "a b", "x".repeat(128), "x".repeat(129), "a:b/c"],
  target: [
    "http://127.0.0.1:3001",
    "http://localhost:1/",
    "http://[::1]:3001/x",
    "https://127.0.0.1",
    "http://hub.localhost",
    "http://10.0.0.1",
    "http://user@127.0.0.1",
    "http://127.0.0.1@evil.com",
    "//127.0.0.1",
    "http://0.0.0.0:1",
  ],
  name: ["x".repeat(255), "x".repeat(256)],
  project: ["/p", "x".repeat(4096), "x".repeat(4097)],
  reconnect_interval: [499, 500, 5000, 300_000, 300_001, "5000", 500.5],
  heartbeat_interval: [30, 4999, 5000, 45_000, 45_001, "30000"],
  github_users: [
    ["ada"],
    ["ada:42"],
    ["ada:0"],
    ["ada:"],
    ["ada", "a b"],
    "ada",
    Array.from({ length: 101 }, () => "a"),
    ["@ada"],
  ],
  github_org: ["acme", "acme/core", "-x", "Acme_1", "x".repeat(101)],
  github_team: ["core", "acme/core", "a/b/c", "/core", "acme/"],
  allow_other_user: ["1", 1],
  unheard_of: ["x"],
};

const cases = Object.entries(CORPUS).flatMap(([key, values]) =>
  [...values, ...JUNK].map((value): [string, Record<string, unknown>] => [
    `${key} ${show(value)}`,
    { [key]: value },
  ]),
);
const together: [string, Record<string, unknown>][] = [
  ["a team beside its organisation", { github_org: "acme", github_team: "core" }],
  [
    "everything",
    { enabled: true, url: "https://h.example", token: "12345678", github_team: "a/b", github_users: ["a"] },
  ],
];

const validator = new Validator(schema as never, "2020-12", false);
const verdicts: boolean[] = [];

test.each([...cases, ...together])("agrees about %s", (_, orchestrator) => {
  writeFileSync(path.join(folder, "config.json"), JSON.stringify({ other: 1, orchestrator }), {
    mode: 0o600,
  });
  const { problems } = inspectSettings({ env: { ORCHESTRATOR_URL: "https://hub.example.com" }, folder });
  const { valid } = validator.validate({ other: 1, orchestrator });
  verdicts.push(valid);
  expect({ valid, problems }).toEqual({ valid: problems.length === 0, problems });
});

test("the corpus has both", () => {
  expect(verdicts.filter(Boolean).length).toBeGreaterThan(40);
  expect(verdicts.filter((valid) => !valid).length).toBeGreaterThan(150);
});

function show(value: unknown): string {
  return JSON.stringify(value).slice(0, 60);
}
