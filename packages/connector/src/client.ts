/** The library: one instance's connection to its hub, kept up for ever. */
import { Agent } from "node:http";
import {
  COMMANDS_CAPABILITY,
  DEFAULT_PEER_LIMITS,
  LOG_CAPABILITY,
  needsPerson,
  PROTOCOL_VERSION,
  type Absence,
  type ConnectionErrorCode,
  type LogLine,
  type Register,
  type Registered,
  type RequestHead,
  type Stream,
} from "@ai-orchestrator/protocol";
import { Absences } from "./absences.ts";
import { AccessGuard } from "./access.ts";
import { createPlainAdapter, type Adapter } from "./adapter.ts";
import { Backoff } from "./backoff.ts";
import { boundedMetadata } from "./bounded.ts";
import type { OrchestratorClientEvents, OrchestratorClientOptions } from "./client-contract.ts";
import { forwardHttp, type Upstream } from "./forward-http.ts";
import { forwardWebSocket } from "./forward-websocket.ts";
import { HUB_ADDRESS_RULE, isHubAddress } from "./hub-address.ts";
import { GapDetector, LOOK_FOR_GAPS_MS, systemClocks } from "./gap.ts";
import { HostEmitter } from "./host-emitter.ts";
import { HubSocket } from "./hub-socket.ts";
import { AnswerLimit, RecentLog } from "./log.ts";
import { isLoopbackHost } from "./loopback.ts";
import { Narrator, type Said } from "./narrator.ts";
import { OwnAgent } from "./own-connection.ts";
import { askPause, retryPause } from "./pause.ts";
import type { SocketEnd } from "./socket-end.ts";
import { StatusTracker, type StatusReport } from "./status.ts";

const SOFTWARE = { name: "ai-orchestrator-connector", version: "0.1.0" };
const FIRST_RETRY_MS = 500;
/** A connection that lasted this long was a good one: only then does the next failure count as the first. */
const STABLE_MS = 10_000;
const AGENT = { keepAlive: true, maxFreeSockets: 64 };

export class OrchestratorClient extends HostEmitter<OrchestratorClientEvents> {
  readonly options: OrchestratorClientOptions;
  readonly #adapter: Adapter;
  readonly #upstream: Upstream;
  readonly #tracker: StatusTracker;
  readonly #backoff: Backoff;
  readonly #narrator = new Narrator();
  readonly #log: RecentLog;
  readonly #answers = new AnswerLimit();
  readonly #access: AccessGuard;
  readonly #gaps = new GapDetector(systemClocks);
  readonly #absences = new Absences(systemClocks);
  /** Told in the registration that is on its way. */
  #absence: Absence | undefined;
  #socket: HubSocket | undefined;
  /** The last one, also while it is on its way out. */
  #latest: HubSocket | undefined;
  #watch: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** True while the next attempt waits for nothing but the backoff. */
  #isHasty = false;
  #isSentAway = false;
  #registeredAt = Number.POSITIVE_INFINITY;
  #state: "new" | "running" | "stopped" = "new";

  /** Throws a RangeError when `target` is not on this machine, or `url` would send the token over a network in clear. */
  constructor(options: OrchestratorClientOptions) {
    super();
    this.options = options;
    if (!isHubAddress(options.url)) throw new RangeError(`url: ${options.url} ${HUB_ADDRESS_RULE}`);
    const target = new URL(options.target);
    if (target.protocol !== "http:" || !isLoopbackHost(target.hostname)) {
      throw new RangeError(`target: ${options.target} is not an http address of this machine`);
    }
    this.#access = new AccessGuard(options.access, (message) => this.#warn(message));
    this.#adapter = options.adapter ?? createPlainAdapter();
    this.#tracker = new StatusTracker(this.#adapter);
    this.#log = new RecentLog([options.token]);
    this.#backoff = new Backoff({
      baseMs: FIRST_RETRY_MS,
      maxMs: options.reconnectIntervalMs ?? 30_000,
    });
    const ownPortOnly = options.allowOtherUser?.target !== true;
    this.#upstream = {
      target,
      adapter: this.#adapter,
      agent: ownPortOnly ? new OwnAgent(AGENT) : new Agent(AGENT),
      ownPortOnly,
      timeoutMs: options.upstreamTimeoutMs ?? 120_000,
    };
  }

  /** What it did and what happened to it lately, oldest first; its owner sees the same at the hub. */
  get log(): LogLine[] {
    return this.#log.lines();
  }

  /** Requests and WebSockets that were refused because `access` does not let in who asked. */
  get refusedStreams(): number {
    return this.#access.refused;
  }

  /** Begins connecting; returns at once. */
  start(): void {
    if (this.#state !== "new") return;
    this.#state = "running";
    this.#say(this.#narrator.connecting(this.options.url, this.options.clientId));
    this.#tracker.onChange((report) => this.#report(report));
    this.#adapter.onNotice?.((message) => this.#warn(message));
    this.#watch = setInterval(() => this.#lookForGap(), LOOK_FOR_GAPS_MS).unref();
    this.#adapter.start().then(
      () => this.#dial(),
      (error: unknown) => {
        this.#warn(`The application could not be prepared: ${String(error)}`);
        this.#dial();
      },
    );
  }

  /** Ends the connection and every stream; resolves when nothing is left running. */
  async stop(): Promise<void> {
    const wasNew = this.#state === "new";
    this.#state = "stopped";
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#socket?.leave();
    this.#tracker.stop();
    this.#upstream.agent.destroy();
    if (!wasNew) await Promise.all([this.#adapter.stop(), this.#latest?.closed]);
  }

  #dial(): void {
    if (this.#state !== "running") return;
    const {
      url,
      token,
      clientId,
      allowOtherUser,
      heartbeatIntervalMs = 30_000,
      holdsProcess = true,
    } = this.options;
    if (!this.#isSentAway) this.emit("connecting", { attempt: this.#backoff.attempts + 1 });
    this.#socket = new HubSocket({
      url,
      token,
      clientId,
      allowOtherUser: allowOtherUser?.hub === true,
      holdsProcess,
      heartbeatIntervalMs: Math.min(heartbeatIntervalMs, 45_000),
      register: () => this.#register(),
      request: (stream, head, ended) => this.#forward(stream, head, ended),
      registered: (message) => this.#registered(message),
      command: (command, done) => this.#command(command, done),
      proved: () => this.#absences.proved(),
      log: () => (this.#answers.isAllowed(performance.now()) ? this.#log.lines() : undefined),
      ended: (end) => this.#ended(end),
    });
    this.#latest = this.#socket;
  }

  #register(): Register {
    this.#absence = this.#absences.current();
    const { clientId, metadata, access } = this.options;
    const { software } = this.#adapter;
    return {
      type: "register",
      protocol: PROTOCOL_VERSION,
      client_id: clientId,
      software: SOFTWARE,
      metadata: boundedMetadata(software ? { upstream: software, ...metadata } : metadata),
      capabilities: [LOG_CAPABILITY, COMMANDS_CAPABILITY],
      limits: DEFAULT_PEER_LIMITS,
      ...(this.#absence && { absence: this.#absence }),
      ...(access && { access }),
      ...this.#tracker.current(),
    };
  }

  #registered({ instance }: Registered): void {
    this.#registeredAt = performance.now();
    this.#isSentAway = false;
    this.#absences.registered();
    const absence = this.#absence;
    this.#say(this.#narrator.connected(instance.url, absence));
    this.emit("connected", { ...instance, ...(absence && { absence }) });
  }

  #forward(stream: Stream, head: RequestHead, ended: boolean): void {
    const refusal = this.#access.check(head.headers);
    if (refusal) return stream.fail(refusal);
    const { opened, closed } = this.#tracker.browsers;
    stream.handler =
      head.kind === "websocket"
        ? forwardWebSocket(stream, head, { ...this.#upstream, opened, closed })
        : forwardHttp(stream, head, ended, this.#upstream);
  }

  /** `done` tells the hub; the end of the connection tells it of `disconnect`. */
  #command(command: "disconnect" | "refresh_status", done: () => void): void {
    if (command === "disconnect") {
      this.#socket?.leave({ then: "ask_later", code: "disconnected", message: "Its owner sent it away." });
      return;
    }
    this.#adapter.refresh().then(
      () => {
        this.#socket?.sendStatus(this.#tracker.current());
        done();
      },
      (error: unknown) => this.#warn(`The status could not be refreshed: ${String(error)}`),
    );
  }

  #report(report: StatusReport): void {
    this.#socket?.sendStatus(report);
    const { status } = report;
    const waiting = report.sessions.filter(needsPerson).length;
    this.#say(this.#narrator.status(status, waiting));
    this.emit("status", { status, needsPerson: waiting });
  }

  #warn(message: string): void {
    this.#say(this.#narrator.note(message));
    this.emit("warning", { message });
  }

  #say(said: Said | undefined): void {
    if (!said) return;
    this.emit("log", { ...this.#log.add(Date.now(), said.level, said.text), kind: said.kind });
  }

  /** After a time in which nothing ran here, a connection must prove itself, and an attempt is not put off any longer. */
  #lookForGap(): void {
    if (!this.#noticeGap()) return;
    if (this.#socket) this.#socket.doubt();
    else if (this.#isHasty) this.#dialAfter(retryPause(undefined, this.#backoff));
  }

  #noticeGap(): boolean {
    const gap = this.#gaps.look();
    if (!gap) return false;
    this.#absences.gap(gap);
    this.#backoff.reset();
    return true;
  }

  #ended(end: SocketEnd): void {
    this.#socket = undefined;
    if (this.#state !== "running") return;
    // The end of a connection is often what this process hears first when it runs again.
    this.#noticeGap();
    if (end.then === "stay_away") return this.#stopped(end.code, end.message);
    if (end.code === "not_admitted" || end.then === "ask_later") this.#absences.refused();
    else this.#absences.lost();
    if (end.then === "ask_later") this.#sentAway(end.message);
    if (this.#isSentAway) return this.#dialAfter(askPause(end.retryAfterMs));
    this.#disconnected(end);
  }

  #stopped(code: ConnectionErrorCode, message: string): void {
    this.#state = "stopped";
    clearInterval(this.#watch);
    this.#say(this.#narrator.stopped(code, message));
    this.emit("stopped", { code, message });
  }

  #sentAway(message: string): void {
    if (this.#isSentAway) return;
    this.#isSentAway = true;
    this.#backoff.reset();
    this.#say(this.#narrator.sentAway());
    this.emit("sentAway", { message });
  }

  #disconnected({ code, message, retryAfterMs }: SocketEnd): void {
    if (performance.now() - this.#registeredAt >= STABLE_MS) this.#backoff.reset();
    this.#registeredAt = Number.POSITIVE_INFINITY;
    const retryMs = retryPause(retryAfterMs, this.#backoff);
    this.#say(this.#narrator.disconnected(code, message, retryMs));
    this.emit("disconnected", { code, message, retryMs });
    this.#dialAfter(retryMs);
    this.#isHasty = retryAfterMs === undefined;
  }

  #dialAfter(ms: number): void {
    clearTimeout(this.#retry);
    this.#isHasty = false;
    this.#retry = setTimeout(() => this.#dial(), ms);
    if (this.options.holdsProcess === false) this.#retry.unref();
  }
}
