/** The library: one instance's connection to its hub, kept up for ever. */
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
import { takeStep, type AdapterStep } from "./adapter-step.ts";
import { createPlainAdapter, type Adapter } from "./adapter.ts";
import { boundedMetadata } from "./bounded.ts";
import type { OrchestratorClientEvents, OrchestratorClientOptions } from "./client-contract.ts";
import { forwardHttp } from "./forward-http.ts";
import { forwardWebSocket } from "./forward-websocket.ts";
import { HUB_ADDRESS_RULE, isHubAddress } from "./hub-address.ts";
import { GapDetector, LOOK_FOR_GAPS_MS, systemClocks } from "./gap.ts";
import { HostEmitter } from "./host-emitter.ts";
import { HubSocket } from "./hub-socket.ts";
import { AnswerLimit, RecentLog } from "./log.ts";
import { Narrator, type Said } from "./narrator.ts";
import { NetworkWatch } from "./network.ts";
import { askPause } from "./pause.ts";
import { Retries } from "./retries.ts";
import { endOfError, type SocketEnd } from "./socket-end.ts";
import { SOFTWARE } from "./software.ts";
import { StatusTracker, type StatusReport } from "./status.ts";
import { upstreamOf, type Upstream } from "./upstream.ts";

/** A dial younger than this, in milliseconds, is not given up for another network: networks change in several steps. */
const YOUNG_MS = 1_000;

/**
 * One instance's connection: `start` begins it, `stop` ends it for good, and in between it is made again whenever it breaks. What a listener
 * throws becomes a warning of the process (code `ORCHESTRATOR_LISTENER`); there is no event `error`.
 */
export class OrchestratorClient extends HostEmitter<OrchestratorClientEvents> {
  readonly options: OrchestratorClientOptions;
  readonly #adapter: Adapter;
  readonly #upstream: Upstream;
  readonly #tracker: StatusTracker;
  readonly #retries: Retries;
  readonly #narrator = new Narrator(systemClocks);
  readonly #log: RecentLog;
  readonly #answers = new AnswerLimit();
  readonly #access: AccessGuard;
  readonly #gaps = new GapDetector(systemClocks);
  readonly #network = new NetworkWatch();
  readonly #absences = new Absences(systemClocks);
  /** Told in the registration that is on its way. */
  #absence: Absence | undefined;
  #socket: HubSocket | undefined;
  /** The last one, also while it is on its way out. */
  #latest: HubSocket | undefined;
  #stopping: Promise<void> | undefined;
  #watch: NodeJS.Timeout | undefined;
  #retry: NodeJS.Timeout | undefined;
  /** True while the next attempt waits for nothing but the backoff. */
  #isHasty = false;
  #isSentAway = false;
  #state: "new" | "running" | "stopped" = "new";

  /** Throws a RangeError when `target` is not on this machine, or `url` would send the token over a network in clear. */
  constructor(options: OrchestratorClientOptions) {
    super();
    this.options = options;
    // What was given is not said: it may hold a password.
    if (!isHubAddress(options.url)) throw new RangeError(`url: ${HUB_ADDRESS_RULE}`);
    this.#adapter = options.adapter ?? createPlainAdapter();
    this.#upstream = upstreamOf(options, this.#adapter);
    this.#access = new AccessGuard(options.access, (message) => this.#warn(message));
    this.#log = new RecentLog([options.token]);
    this.#retries = new Retries({ maxMs: options.reconnectIntervalMs ?? 30_000 });
    this.#tracker = new StatusTracker(this.#adapter, (error) =>
      this.#warn(`The application's sessions could not be read: ${String(error)}`),
    );
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
    this.#watch = setInterval(() => this.#look(), LOOK_FOR_GAPS_MS).unref();
    this.#ask("start", () => this.#dial());
  }

  /** Ends the connection and every stream for good; resolves when nothing is left running. Called again, it waits for the same. */
  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  async #stop(): Promise<void> {
    const wasNew = this.#state === "new";
    this.#state = "stopped";
    clearTimeout(this.#retry);
    clearInterval(this.#watch);
    this.#socket?.leave();
    this.#tracker.stop();
    this.#upstream.agent.destroy();
    if (!wasNew) await Promise.all([new Promise((done) => this.#ask("stop", done)), this.#latest?.closed]);
    this.emit("ended");
  }

  /** What the adapter does wrong is said, and ends nothing. */
  #ask(step: AdapterStep, then: (isDone: boolean) => void): void {
    takeStep(this.#adapter, step, (failure) => {
      if (failure !== undefined) this.#warn(failure);
      then(failure === undefined);
    });
  }

  #dial(): void {
    if (this.#state !== "running") return;
    if (!this.#isSentAway) this.emit("connecting", { attempt: this.#retries.attempt });
    try {
      this.#socket = this.#newSocket();
      this.#latest = this.#socket;
    } catch (error) {
      // A program may have put something of its own in the place of node:http.
      this.#ended(endOfError(error instanceof Error ? error : new Error(String(error)), false));
    }
  }

  #newSocket(): HubSocket {
    const { url, token, clientId, allowOtherUser, holdsProcess = true } = this.options;
    return new HubSocket({
      url,
      token,
      clientId,
      allowOtherUser: allowOtherUser?.hub === true,
      holdsProcess,
      heartbeatIntervalMs: Math.min(this.options.heartbeatIntervalMs ?? 30_000, 45_000),
      dialTimeoutMs: this.#retries.dialTimeoutMs,
      register: () => this.#register(),
      request: (stream, head, ended) => this.#forward(stream, head, ended),
      registered: (message) => this.#registered(message),
      command: (command, acknowledge) => this.#command(command, acknowledge),
      proved: () => this.#absences.proved(),
      log: () => (this.#answers.isAllowed(performance.now()) ? this.#log.lines() : undefined),
      ended: (end) => this.#ended(end),
    });
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
    this.#retries.registered();
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

  /** The end of the connection acknowledges `disconnect`. */
  #command(command: "disconnect" | "refresh_status", acknowledge: () => void): void {
    if (command === "disconnect") {
      this.#socket?.leave({ then: "ask_later", code: "disconnected", message: "Its owner sent it away." });
      return;
    }
    this.#ask("refresh", (isDone) => {
      if (!isDone) return;
      this.#socket?.sendStatus(this.#tracker.current());
      acknowledge();
    });
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
    this.emit("warning", { message: this.#log.harmless(message) });
  }

  #say(said: Said | undefined): void {
    if (!said) return;
    this.emit("log", { ...this.#log.add(Date.now(), said.level, said.text), kind: said.kind });
  }

  /**
   * After a time in which nothing ran here, or in another network, a connection must prove itself, and an attempt is not put off any
   * longer.
   */
  #look(): void {
    this.#say(this.#narrator.look());
    const isElsewhere = this.#network.changed();
    const slept = this.#noticeGap();
    if (!isElsewhere && !slept) return;
    const soonMs = this.#retries.hurry();
    if (this.#socket) this.#socket.doubt(slept ? 0 : YOUNG_MS);
    else if (this.#isHasty) this.#dialAfter(soonMs);
  }

  #noticeGap(): boolean {
    const gap = this.#gaps.look();
    if (gap) this.#absences.gap(gap);
    return gap !== undefined;
  }

  #ended(told: SocketEnd): void {
    const end = { ...told, message: this.#log.harmless(told.message) };
    this.#socket = undefined;
    if (this.#state !== "running") return;
    // The end of a connection is often what this process hears first when it runs again.
    if (this.#noticeGap()) this.#retries.hurry();
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
    this.#retries.reset();
    this.#say(this.#narrator.sentAway());
    this.emit("sentAway", { message });
  }

  #disconnected(end: SocketEnd): void {
    const { code, message, retryAfterMs } = end;
    const retryMs = this.#retries.pauseAfter(end);
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
