/**
 * How long an answer of 1 KiB takes at a fixed 200 requests a second. Requests begin when their time has come, whether or not earlier ones
 * were answered, and are counted from that time: what a path holds up it does not hide.
 */
import * as http from "node:http";
import { setImmediate as turn, setTimeout as pause } from "node:timers/promises";
import { percentile } from "../../report.ts";
import { answerOf, begin, drain } from "../http.ts";
import type { RunningPath } from "../paths/path.ts";
import type { Load } from "./load.ts";

const PER_SECOND = 200;
const SECONDS = 5;
const WARM_UP = 100;
/** Timers come up to this late: the rest is spent asking the clock, so that the generator adds nothing to the times. */
const TIMER_MS = 1.5;

export const latency: Load = {
  group: "latency",
  upstream: "small",
  measures: [
    { id: "latency-p50", title: "Latency at 200 requests/s, median", unit: "ms", better: "less", digits: 2 },
    { id: "latency-p99", title: "Latency at 200 requests/s, p99", unit: "ms", better: "less", digits: 2 },
  ],
  run: async (path) => {
    const agent = new http.Agent({ keepAlive: true });
    try {
      await atRate(path, agent, WARM_UP);
      const times = await atRate(path, agent, PER_SECOND * SECONDS);
      return { "latency-p50": percentile(times, 0.5), "latency-p99": percentile(times, 0.99) };
    } finally {
      agent.destroy();
    }
  },
};

async function atRate(path: RunningPath, agent: http.Agent, count: number): Promise<number[]> {
  const begun = performance.now() + 10;
  const times: Promise<number>[] = [];
  for (let index = 0; index < count; index++) {
    const due = begun + (index * 1000) / PER_SECOND;
    await until(due);
    times.push(timeOf(path, agent, due));
  }
  return Promise.all(times);
}

async function until(due: number): Promise<void> {
  const early = due - performance.now() - TIMER_MS;
  if (early > 0) await pause(early);
  while (performance.now() < due) await turn();
}

async function timeOf(path: RunningPath, agent: http.Agent, due: number): Promise<number> {
  const request = begin(path, "/1k", { agent });
  request.end();
  await drain(await answerOf(path, request));
  return performance.now() - due;
}
