/** The local application that everything is forwarded to. */
import * as http from "node:http";
import type { Adapter } from "./adapter.ts";
import type { OrchestratorClientOptions } from "./client-contract.ts";
import { CompressedCopies } from "./compressed-copies.ts";
import { Deadlines } from "./deadlines.ts";
import { isLocalAddress } from "./loopback.ts";
import { OwnAgent } from "./own-connection.ts";

export interface Upstream {
  /** Origin on this machine. Fixed by the settings: nothing that arrives can change it. */
  target: URL;
  adapter: Adapter;
  agent: http.Agent;
  /** True where connections are made only while its port is this user's: the rule, unless a person chose otherwise. */
  ownPortOnly: boolean;
  /** Of its files. */
  copies: CompressedCopies;
  /** How long the application may take to begin an answer, or to upgrade, in milliseconds. */
  timeoutMs: number;
  /** The same, of requests: their answers, and every step of their bodies before. */
  deadlines: Deadlines;
}

const AGENT = { keepAlive: true, maxFreeSockets: 64 };

/** Throws a RangeError where its target is not on this machine, without saying what that is: it may hold a password. */
export function upstreamOf(options: OrchestratorClientOptions, adapter: Adapter): Upstream {
  if (!isLocalAddress(options.target)) throw new RangeError("target: must be http:// on this machine");
  const ownPortOnly = options.allowOtherUser?.target !== true;
  const timeoutMs = options.upstreamTimeoutMs ?? 120_000;
  return {
    target: new URL(options.target),
    adapter,
    agent: ownPortOnly ? new OwnAgent(AGENT) : new http.Agent(AGENT),
    ownPortOnly,
    copies: new CompressedCopies(),
    timeoutMs,
    deadlines: new Deadlines(timeoutMs),
  };
}
