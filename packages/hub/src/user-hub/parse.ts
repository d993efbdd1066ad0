/** What a Tunnel tells was said by an instance: bounded here before it is kept or shown. */
import {
  ClaudeSessionSchema,
  ClientIdSchema,
  InstanceMetadataSchema,
  ABSENCE_CAUSES,
  STATUSES,
} from "@ai-orchestrator/protocol";
import * as v from "valibot";
import type { InstanceConnected, StatusReport } from "../contracts.ts";
import { isLabel } from "../origins.ts";
import { visibleText } from "../visible-text.ts";

const shown = (max: number) => v.pipe(v.string(), v.maxLength(max), v.transform(visibleText));
const time = v.pipe(v.number(), v.integer(), v.minValue(0));
const software = v.object({ name: shown(64), version: shown(64) });
const sessions = v.pipe(
  v.array(v.object({ ...ClaudeSessionSchema.entries, title: v.optional(shown(300)), project: shown(4096) })),
  v.maxLength(200),
);

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
});

const ReportSchema = v.object({ status: v.picklist(STATUSES), sessions, at: time });

/** Throws a `ValiError` where the Tunnel lets through what the protocol forbids. */
export function parseConnected(instance: InstanceConnected): InstanceConnected {
  return v.parse(ConnectedSchema, instance);
}

/** As `parseConnected`. */
export function parseReport(report: StatusReport): StatusReport {
  return v.parse(ReportSchema, report);
}
