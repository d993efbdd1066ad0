import { encodeControl, parseConnectorMessage, type ClaudeSession } from "@ai-orchestrator/protocol";
import { expect, test } from "vitest";
import { boundedMetadata, boundedSessions } from "./bounded.ts";

const session = (changes: Partial<ClaudeSession>): ClaudeSession => ({
  id: "one",
  project: "/p",
  state: "working",
  since: 1,
  ...changes,
});

test("whatever an adapter says, the hub takes it", () => {
  const long = "\u{1f600}".repeat(5000);
  const sessions = boundedSessions(
    Array.from({ length: 300 }, (_, index) =>
      session({ id: String(index), title: long, project: long, since: 1.5 }),
    ),
  );
  const metadata = boundedMetadata({
    hostname: long,
    project: long,
    platform: long,
    upstream: { name: long, version: long },
  });
  const text = encodeControl({ type: "status_update", status: "busy", sessions });
  expect(parseConnectorMessage(text)).toMatchObject({ status: "busy" });
  expect(sessions).toHaveLength(200);
  expect(metadata.hostname.length).toBe(254);
  expect(Buffer.from(metadata.hostname).toString()).toBe(metadata.hostname);
});

test("sessions without a usable id are left out, short texts stay as they are", () => {
  const good = session({ title: "a title" });
  expect(boundedSessions([session({ id: "" }), good, session({ id: "x".repeat(129) })])).toEqual([good]);
});
