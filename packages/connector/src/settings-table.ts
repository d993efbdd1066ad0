/** Every setting once: how it is written in the config file, in the environment and as a flag, and what it may be. */
import { ClientIdSchema } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import type { SettingName } from "./settings-names.ts";
import { HUB_ADDRESS_RULE, isHubAddress } from "./hub-address.ts";
import { isLocalAddress } from "./loopback.ts";

interface Definition {
  /** In the config file's object `orchestrator`. */
  key: string;
  variable: string;
  /** Without dashes: `--url` for the command, `--orchestrator-url` for programs that embed the connector. */
  flag: string;
  schema: v.GenericSchema;
  /** What it must be, as the end of a sentence. */
  rule: string;
  /** The same for the config file, where that differs. */
  fileRule?: string;
  /** What text says, for `schema` to judge; text that says nothing of the kind is given back. */
  fromText?: (text: string) => unknown;
}

export const INTERVALS = {
  reconnect: { minimum: 500, maximum: 300_000, usual: 30_000 },
  heartbeat: { minimum: 5000, maximum: 45_000, usual: 30_000 },
} as const;

const GITHUB_NAME = String.raw`[A-Za-z0-9][\w-]{0,99}`;
const USER = new RegExp(`^${GITHUB_NAME}(?::[1-9]\\d{0,15})?$`);
const ORGANIZATION = new RegExp(`^${GITHUB_NAME}$`);
const TEAM = new RegExp(`^(?:${GITHUB_NAME}/)?${GITHUB_NAME}$`);

const OriginSchema = v.transform((text: string) => new URL(text).origin);

export const SETTINGS = {
  mode: {
    key: "enabled",
    variable: "ORCHESTRATOR_MODE",
    flag: "mode",
    schema: v.boolean(),
    rule: 'must be "client" (connect to a hub) or "standalone" (do not)',
    fileRule: "must be true (connect to a hub) or false (do not)",
    fromText: (text: string) => chosen(text, ["client", "standalone"]),
  },
  url: {
    key: "url",
    variable: "ORCHESTRATOR_URL",
    flag: "url",
    schema: v.pipe(v.string(), v.check(isHubAddress), OriginSchema),
    rule: HUB_ADDRESS_RULE,
  },
  token: {
    key: "token",
    variable: "ORCHESTRATOR_TOKEN",
    flag: "token",
    schema: v.pipe(v.string(), v.regex(/^[\x21-\x7e]{8,512}$/)),
    rule: "must be a token from the hub's page for tokens",
  },
  clientId: {
    key: "client_id",
    variable: "ORCHESTRATOR_CLIENT_ID",
    flag: "client-id",
    schema: ClientIdSchema,
    rule: "must be 1 to 128 printable characters without spaces",
  },
  target: {
    key: "target",
    variable: "ORCHESTRATOR_TARGET",
    flag: "target",
    schema: v.pipe(v.string(), v.check(isLocalAddress), OriginSchema),
    rule: "must be an http:// address on this machine, such as http://127.0.0.1:3001",
  },
  name: {
    key: "name",
    variable: "ORCHESTRATOR_NAME",
    flag: "name",
    schema: v.pipe(v.string(), v.minLength(1), v.maxLength(255)),
    rule: "must be 1 to 255 characters",
  },
  project: {
    key: "project",
    variable: "ORCHESTRATOR_PROJECT",
    flag: "project",
    schema: v.pipe(v.string(), v.minLength(1), v.maxLength(4096)),
    rule: "must be 1 to 4096 characters",
  },
  reconnectIntervalMs: {
    key: "reconnect_interval",
    variable: "ORCHESTRATOR_RECONNECT_INTERVAL",
    flag: "reconnect-interval",
    ...milliseconds(INTERVALS.reconnect),
  },
  heartbeatIntervalMs: {
    key: "heartbeat_interval",
    variable: "ORCHESTRATOR_HEARTBEAT_INTERVAL",
    flag: "heartbeat-interval",
    ...milliseconds(INTERVALS.heartbeat),
  },
  users: {
    key: "github_users",
    variable: "ORCHESTRATOR_GITHUB_USERS",
    flag: "github-users",
    schema: v.pipe(v.array(v.pipe(v.string(), v.regex(USER))), v.minLength(1), v.maxLength(100)),
    rule: "must be GitHub logins with commas between them, each as login or login:id, 1 to 100 of them",
    fileRule: 'must be a list of GitHub logins, each as "login" or "login:id", 1 to 100 of them',
    fromText: (text: string) => text.split(",").map((name) => name.trim()),
  },
  organization: {
    key: "github_org",
    variable: "ORCHESTRATOR_GITHUB_ORG",
    flag: "github-org",
    schema: v.pipe(v.string(), v.regex(ORGANIZATION)),
    rule: "must be the login of a GitHub organisation",
  },
  team: {
    key: "github_team",
    variable: "ORCHESTRATOR_GITHUB_TEAM",
    flag: "github-team",
    schema: v.pipe(v.string(), v.regex(TEAM)),
    rule: "must be a team's slug beside its organisation, or organisation/slug",
  },
  allowOtherUser: {
    key: "allow_other_user",
    variable: "ORCHESTRATOR_ALLOW_OTHER_USER",
    flag: "allow-other-user",
    schema: v.boolean(),
    rule: "must be 1 or 0",
    fileRule: "must be true or false",
    fromText: (text: string) => chosen(text, ["1", "0"]),
  },
} satisfies Record<SettingName, Definition>;

export type Values = { [Name in SettingName]?: v.InferOutput<(typeof SETTINGS)[Name]["schema"]> };

export const SETTING_NAMES = Object.keys(SETTINGS) as SettingName[];

export function definitionOf(name: SettingName): Definition {
  return SETTINGS[name];
}

function milliseconds({ minimum, maximum }: { minimum: number; maximum: number }) {
  return {
    schema: v.pipe(v.number(), v.integer(), v.minValue(minimum), v.maxValue(maximum)),
    rule: `must be ${minimum} to ${maximum} milliseconds`,
    fromText: (text: string) => (/^\d{1,9}$/.test(text.trim()) ? Number(text) : text),
  };
}

function chosen(text: string, [yes, no]: [string, string]): unknown {
  const word = text.trim().toLowerCase();
  if (word === yes) return true;
  return word === no ? false : text;
}
