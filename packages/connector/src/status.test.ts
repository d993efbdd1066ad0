import type { ClaudeSession } from "@ai-orchestrator/protocol";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { type StatusReport, StatusTracker } from "./status.ts";

const working: ClaudeSession = { id: "a", project: "/p", state: "working", since: 1 };

function setUp() {
  let sessions: ClaudeSession[] = [];
  const listeners = new Set<() => void>();
  const tracker = new StatusTracker({
    sessions: () => sessions,
    onChange: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  });
  const reports: StatusReport[] = [];
  tracker.onChange((report) => reports.push(report));
  const set = (next: ClaudeSession[]) => {
    sessions = next;
    for (const listener of listeners) listener();
  };
  return { tracker, reports, set, listeners };
}

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test("goes idle, active, busy, active, idle as browsers and sessions come and go", () => {
  const { tracker, reports, set } = setUp();
  const steps = [
    () => tracker.browsers.opened(),
    () => set([working]),
    () => set([{ ...working, state: "needs_permission" }]),
    () => set([]),
    () => tracker.browsers.closed(),
  ];
  for (const step of steps) {
    step();
    vi.advanceTimersByTime(50);
  }
  expect(reports.map((report) => report.status)).toEqual(["active", "busy", "busy", "active", "idle"]);
  expect(reports[2]?.sessions[0]?.state).toBe("needs_permission");
});

test("reports several changes within one breath once, and none that cancel out", () => {
  const { tracker, reports, set } = setUp();
  tracker.browsers.opened();
  set([working]);
  vi.advanceTimersByTime(50);
  set([]);
  set([working]);
  vi.advanceTimersByTime(50);
  expect(reports).toEqual([{ status: "busy", sessions: [working] }]);
});

test("a browser closed twice does not make the count negative", () => {
  const { tracker } = setUp();
  tracker.browsers.closed();
  tracker.browsers.opened();
  expect(tracker.current().status).toBe("active");
});

test("leaves nothing behind when stopped", () => {
  const { tracker, reports, set, listeners } = setUp();
  tracker.browsers.opened();
  tracker.stop();
  expect(listeners.size).toBe(0);
  expect(vi.getTimerCount()).toBe(0);
  set([working]);
  vi.advanceTimersByTime(50);
  expect(reports).toEqual([]);
});
