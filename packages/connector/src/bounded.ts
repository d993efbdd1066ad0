/** What an instance says about itself, cut to what a hub takes: a long name must not cost the connection. */
import {
  ClaudeSessionSchema,
  TEXT_LIMITS,
  type ClaudeSession,
  type InstanceMetadata,
} from "@ai-orchestrator/protocol";
import * as v from "valibot";

export function boundedMetadata({
  hostname,
  project,
  platform,
  upstream,
}: InstanceMetadata): InstanceMetadata {
  return {
    hostname: cut(hostname, TEXT_LIMITS.hostname),
    project: cut(project, TEXT_LIMITS.project),
    platform: cut(platform, TEXT_LIMITS.platform),
    ...(upstream && {
      upstream: {
        name: cut(upstream.name, TEXT_LIMITS.software),
        version: cut(upstream.version, TEXT_LIMITS.software),
      },
    }),
  };
}

/** At most as many sessions as a hub takes, the first ones; one that is none, for want of an id or a known state, is left out. */
export function boundedSessions(sessions: readonly ClaudeSession[]): ClaudeSession[] {
  return sessions
    .filter(({ id }) => id.length > 0 && id.length <= TEXT_LIMITS.sessionId)
    .slice(0, TEXT_LIMITS.sessions)
    .map((session) => ({
      ...session,
      project: cut(session.project, TEXT_LIMITS.sessionProject),
      ...(session.title !== undefined && { title: cut(session.title, TEXT_LIMITS.sessionTitle) }),
      since: Math.max(0, Math.trunc(session.since)),
    }))
    .filter((session) => v.is(ClaudeSessionSchema, session));
}

/** Cuts between characters, not inside one that takes two code units. */
export function cut(text: string, length: number): string {
  if (text.length <= length) return text;
  const end = text.charCodeAt(length - 1);
  return text.slice(0, end >= 0xd800 && end <= 0xdbff ? length - 1 : length);
}
