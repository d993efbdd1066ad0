/** What Tunnels tell was said by instances, what pages ask by people: bounded here before it is kept or shown. */
import {
  ClaudeSessionSchema,
  ClientIdSchema,
  InstanceMetadataSchema,
  ABSENCE_CAUSES,
  STATUSES,
  TEXT_LIMITS,
  type AccessGroup,
} from "@ai-orchestrator/protocol";
import * as v from "valibot";
import { ACTIVITY_FILTERS } from "../activity.ts";
import type {
  ActivityQuery,
  Inspection,
  InstanceAction,
  InstanceConnected,
  StatusReport,
} from "../contracts.ts";
import { isLabel } from "../origins.ts";
import { visibleText } from "../visible-text.ts";

/** What a page sends when someone looks at it again, alone or with the labels of cards that are seen. */
const LOOK = "look";
/** A window shows fewer. */
const MAX_LOOKED_AT = 100;

/** Of what is looked for in the activity, in UTF-16 code units. */
const MAX_SEARCH_LENGTH = 200;

const shown = (max: number) => v.pipe(v.string(), v.maxLength(max), v.transform(visibleText));
/** Up to what a `Date` can hold. */
const time = v.pipe(v.number(), v.integer(), v.minValue(0), v.maxValue(8_640_000_000_000_000));
const software = v.object({ name: shown(64), version: shown(64) });
const sessions = v.pipe(
  v.array(v.object({ ...ClaudeSessionSchema.entries, title: v.optional(shown(300)), project: shown(4096) })),
  v.maxLength(200),
);

const gitHubName = shown(TEXT_LIMITS.gitHubName);
const AccessSchema = v.object({
  users: v.optional(v.pipe(v.array(gitHubName), v.maxLength(TEXT_LIMITS.accessUsers))),
  organization: v.optional(gitHubName),
  team: v.optional(gitHubName),
});

/** A team's name is its organisation's and its own. */
const GroupSchema = v.object({
  kind: v.picklist(["organization", "team"]),
  name: v.pipe(v.string(), v.maxLength(2 * TEXT_LIMITS.gitHubName + 1)),
});

const ConnectedSchema = v.object({
  clientId: ClientIdSchema,
  label: v.pipe(v.string(), v.check(isLabel)),
  tokenId: v.pipe(v.string(), v.maxLength(128)),
  software,
  metadata: v.object({
    ...InstanceMetadataSchema.entries,
    hostname: shown(255),
    project: shown(4096),
    platform: shown(64),
    upstream: v.optional(software),
  }),
  status: v.picklist(STATUSES),
  sessions,
  connectedAt: time,
  absence: v.optional(v.object({ cause: v.picklist(ABSENCE_CAUSES), since: time, until: time })),
  protocol: v.picklist([1, 2]),
  access: v.optional(AccessSchema),
});

const ReportSchema = v.object({ status: v.picklist(STATUSES), sessions, at: time });

const InspectionSchema = v.object({
  latencyMs: v.pipe(v.number(), v.finite(), v.minValue(0)),
  log: v.pipe(
    v.array(
      v.object({
        at: time,
        level: v.picklist(["info", "warning", "error"]),
        text: shown(TEXT_LIMITS.logLine),
      }),
    ),
    v.maxLength(TEXT_LIMITS.logLines),
  ),
});

/** A name is judged by who takes it. */
const ActionSchema = v.variant("action", [
  v.object({
    action: v.picklist([
      "disconnect",
      "let_back",
      "refresh",
      "mark_seen",
      "forget",
      "trust_path",
      "distrust_path",
    ]),
  }),
  v.object({ action: v.literal("rename"), name: v.string() }),
]);

const QuerySchema = v.object({
  filter: v.picklist(ACTIVITY_FILTERS),
  label: v.optional(v.pipe(v.string(), v.check(isLabel))),
  text: v.optional(v.pipe(v.string(), v.maxLength(MAX_SEARCH_LENGTH))),
  before: v.optional(v.pipe(v.number(), v.safeInteger())),
});

/** Throws a `ValiError` where the Tunnel lets through what the protocol forbids. */
export function parseConnected(instance: InstanceConnected): InstanceConnected {
  return v.parse(ConnectedSchema, instance);
}

/** As `parseConnected`. */
export function parseReport(report: StatusReport): StatusReport {
  return v.parse(ReportSchema, report);
}

/** As `parseConnected`. */
export function parseInspection(inspection: Inspection): Inspection {
  return v.parse(InspectionSchema, inspection);
}

/** As `parseConnected`; of a Tunnel, or of a page. */
export function parseGroup(group: AccessGroup): AccessGroup {
  return v.parse(GroupSchema, group);
}

/** Throws a `ValiError` where the Worker lets through what its pages forbid. */
export function parseAction(action: InstanceAction): InstanceAction {
  return v.parse(ActionSchema, action);
}

/** As `parseAction`. */
export function parseActivityQuery(query: ActivityQuery): ActivityQuery {
  return v.parse(QuerySchema, query);
}

/** The labels that a page asks after before all others; undefined where it asks something else. */
export function parseLook(message: string | ArrayBuffer): string[] | undefined {
  if (typeof message !== "string") return undefined;
  const [word, ...labels] = message.split(" ", MAX_LOOKED_AT + 1);
  return word === LOOK ? labels.filter(isLabel) : undefined;
}
