/** Many exchanges at once through one tunnel, and what they cost in memory: with tests to hold it and a benchmark to show it. */
import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { OrchestratorClientOptions } from "@ai-orchestrator/connector";
import { LIMITS } from "@ai-orchestrator/protocol";
import { startHub } from "../hub.ts";
import type { ConnectorEvent } from "./connector-process.ts";
import { startUpstream } from "./upstream.ts";
import { Viewer } from "./viewer.ts";

export const MIB = 1024 * 1024;

/** How many of each kind there are. */
export const CROWD = 64;

/**
 * What may be granted while one crowd of answers and one of uploads stand still and another, half of each, gets on: a window for
 * each, and what all may have grown by, either way. The hub may hold all of it: what it has for browsers, and what it has sent
 * towards the connector.
 */
export const GRANTED_BYTES = 2 * ((CROWD + CROWD / 2) * LIMITS.streamWindowBytes + LIMITS.windowGrowthBytes);

/**
 * Bytes beyond that: what the engines have let go of and not given back yet, mostly buffers of uploads in workerd. It does not
 * grow with what passes.
 */
export const SLACK_BYTES = { hub: 192 * MIB, connector: 64 * MIB };

/** Bytes of memory beyond what was there after the warm-up, now and at most. */
export type Growth = Record<"hub" | "connector", { now: number; peak: number }>;

export interface CrowdScene {
  /** Browsers that ask for an answer without end and read nothing of it. */
  stallReaders(): Promise<void>;
  /** Uploads to an application that reads nothing. */
  stallUploads(): Promise<void>;
  /** Downloads and uploads that all get on. */
  keepBusy(): Promise<void>;
  growth(): Growth;
  stop(): Promise<void>;
}

/** Whoever takes less processor time in half a second stands still, and what does not after so many of them never will. */
const STILL_MS = 20;
const MOST_LOOKS = 60;

/** A hub, a connector in a process of its own, an application and a browser, warmed up. */
export async function startCrowdScene(): Promise<CrowdScene> {
  const hub = await startHub();
  const upstream = await startUpstream();
  const { child, url: origin } = await startConnector({
    url: hub.origin,
    token: await hub.createToken(),
    clientId: "crowded",
    target: upstream.target,
    metadata: { hostname: "h", project: "p", platform: "linux" },
  });
  const viewer = new Viewer();
  await viewer.navigate(await hub.signInLink());
  await viewer.navigate(`${origin}/status/200`);
  const processes = { hub: hub.pids(), connector: [child.pid ?? 0] };
  const busy = async (bytes: number) => {
    const body = Buffer.alloc(bytes);
    const exchanges = Array.from({ length: CROWD }, async (_, index) => {
      if (index % 2 === 0) return drain(await viewer.open(`${origin}/bytes/${bytes}?chunked`));
      await viewer.fetch(`${origin}/upload`, { method: "POST", body });
    });
    await Promise.all(exchanges);
  };
  // The first bodies bring buffers and compiled code that stay.
  await busy(2 * MIB);
  await pause(1000);
  for (const pid of [...processes.hub, ...processes.connector]) resetPeak(pid);
  const before = { hub: resident(processes.hub), connector: resident(processes.connector) };
  const grownBy = (of: "hub" | "connector") => ({
    now: resident(processes[of]) - before[of],
    peak: bytesOf(processes[of], "VmHWM") - before[of],
  });
  const standStill = async () => {
    let [last, looks] = [Number.NEGATIVE_INFINITY, 0];
    while (hub.cpuMs() - last > STILL_MS && looks++ < MOST_LOOKS) {
      last = hub.cpuMs();
      await pause(500);
    }
  };
  return {
    growth: () => ({ hub: grownBy("hub"), connector: grownBy("connector") }),
    keepBusy: () => busy(4 * MIB),
    stallReaders: async () => {
      const asked = Array.from({ length: CROWD }, () => viewer.open(`${origin}/endless`));
      for (const answer of await Promise.all(asked)) answer.on("error", () => undefined).pause();
      await standStill();
    },
    stallUploads: async () => {
      const body = Buffer.alloc(16 * MIB);
      let waiting = 0;
      upstream.events.on("waiting", () => waiting++);
      for (let index = 0; index < CROWD; index++) {
        const request = viewer.begin(`${origin}/slowread`, { method: "POST" });
        request.on("error", () => undefined);
        request.end(body);
      }
      while (waiting < CROWD) await pause(50);
      await standStill();
    },
    stop: async () => {
      child.kill("SIGKILL");
      await once(child, "exit");
      await upstream.stop();
      await hub.stop();
    },
  };
}

async function startConnector(
  options: OrchestratorClientOptions,
): Promise<{ child: ChildProcess; url: string }> {
  const child = fork(path.join(import.meta.dirname, "connector-process.ts"), [JSON.stringify(options)], {
    execArgv: ["--conditions=source"],
  });
  for (;;) {
    const [said] = (await once(child, "message")) as [ConnectorEvent];
    if (said.event === "connected") return { child, url: said.url };
  }
}

/** Lets the kernel's note of the most that a process held begin anew (proc_pid_clear_refs(5)). */
function resetPeak(pid: number): void {
  writeFileSync(`/proc/${pid}/clear_refs`, "5");
}

function resident(pids: readonly number[]): number {
  return bytesOf(pids, "VmRSS");
}

function bytesOf(pids: readonly number[], field: "VmRSS" | "VmHWM"): number {
  return pids.reduce((sum, pid) => {
    const status = readFileSync(`/proc/${pid}/status`, "utf8");
    return sum + Number(new RegExp(String.raw`^${field}:\s+(\d+) kB`, "m").exec(status)?.[1] ?? 0) * 1024;
  }, 0);
}

async function drain(answer: AsyncIterable<Buffer>): Promise<void> {
  for await (const chunk of answer) void chunk;
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
