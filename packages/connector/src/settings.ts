/** What a person sets to connect, checked once, with messages that name the setting, what it was and what it may be. */
import { ClientIdSchema } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import { HUB_ADDRESS_RULE, isHubAddress } from "./hub-address.ts";
import { isLoopbackHost } from "./loopback.ts";

const HubSchema = v.pipe(
  v.string(),
  v.check(isHubAddress, HUB_ADDRESS_RULE),
  v.transform((text) => new URL(text).origin),
);

const TargetSchema = v.pipe(
  v.string(),
  v.check(isLocalAddress, "must be an http:// address on this machine, such as http://127.0.0.1:3001"),
  v.transform((text) => new URL(text).origin),
);

const SettingsSchema = v.object({
  url: HubSchema,
  token: v.pipe(
    v.string(),
    v.regex(/^[\x21-\x7e]{8,512}$/, "must be a token from the hub's page for tokens"),
  ),
  target: v.optional(TargetSchema),
  clientId: v.optional(
    v.pipe(ClientIdSchema, v.regex(/./, "must be 1 to 128 printable characters without spaces")),
  ),
  name: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(255, "must be 1 to 255 characters"))),
  project: v.optional(v.pipe(v.string(), v.minLength(1), v.maxLength(4096, "must be 1 to 4096 characters"))),
});

export type Settings = v.InferOutput<typeof SettingsSchema>;
type Name = keyof typeof SettingsSchema.entries;

/** How each setting is written, for people. */
const WRITTEN: Record<Name, string> = {
  url: "--url or ORCHESTRATOR_URL",
  token: "ORCHESTRATOR_TOKEN or --token",
  target: "--target",
  clientId: "--client-id or ORCHESTRATOR_CLIENT_ID",
  name: "--name",
  project: "--project",
};

/** Settings that will not do; `message` has one line for each problem. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/** Checks flags, then environment. Throws `SettingsError`. The token is never part of a message. */
export function parseSettings(flags: Partial<Record<Name, string>>, env: NodeJS.ProcessEnv): Settings {
  const given: Record<Name, string | undefined> = {
    url: flags.url ?? env["ORCHESTRATOR_URL"],
    token: flags.token ?? env["ORCHESTRATOR_TOKEN"],
    target: flags.target,
    clientId: flags.clientId ?? (env["ORCHESTRATOR_CLIENT_ID"] || undefined),
    name: flags.name,
    project: flags.project,
  };
  const parsed = v.safeParse(SettingsSchema, given);
  if (parsed.success) return parsed.output;
  const problems = new Map(parsed.issues.map((issue) => [v.getDotPath(issue) as Name, issue.message]));
  throw new SettingsError(
    [...problems].map(([name, message]) => describe(name, given[name], message)).join("\n"),
  );
}

function describe(name: Name, value: string | undefined, message: string): string {
  if (value === undefined || value === "") return `${WRITTEN[name]}: is missing${MISSING[name] ?? ""}`;
  const shown = name === "token" ? "what was given" : JSON.stringify(value.slice(0, 200));
  return `${WRITTEN[name]}: ${shown} ${message}`;
}

const MISSING: Partial<Record<Name, string>> = {
  url: ": the address of your hub, such as https://hub.example.com",
  token: ": make one on the hub's page for tokens",
};

function isLocalAddress(text: string): boolean {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  return url !== undefined && url.protocol === "http:" && url.username === "" && isLoopbackHost(url.hostname);
}
