/**
 * An instance without a token, and the code by which its owner approves it. Named by the code. While it waits the object sleeps:
 * its socket hibernates, and an alarm ends it after ten minutes.
 */
import { DurableObject } from "cloudflare:workers";
import { ConnectionError, encodePairing, PAIRING, type PendingRegister } from "@ai-orchestrator/protocol";
import { Alarm } from "../alarm.ts";
import { auditSubject, type AuditAction } from "../audit.ts";
import { countExactOf } from "../auth/rate-limits.ts";
import { recordAudit } from "../db/audit.ts";
import type { Env } from "../env.ts";
import { errorName, log } from "../log.ts";
import { routes } from "../routes.ts";
import { countDial, tooManyDials } from "../tunnel/dial-limit.ts";
import { refuseDial } from "../tunnel/dial-refusal.ts";
import { readPairingDial, tooManyPairings } from "./connect.ts";
import type { PairingDecision, PairingLook, PairingPerson, PairingRpc } from "./contract.ts";
import { makeGrant, takeBack, type Grant } from "./grant.ts";
import { namedPeople } from "./names.ts";
import { readPending } from "./pending-messages.ts";
import { PendingSockets } from "./pending-sockets.ts";
import {
  forgottenAt,
  lookAt,
  newRecord,
  readRecord,
  saidBy,
  writeRecord,
  type PairingDial,
  type PairingRecord,
} from "./record.ts";
import { tellEach } from "./tell-each.ts";

const TOO_LATE = "Nobody approved this within ten minutes. Ask for a new code.";
const DENIED = "It was denied at the hub.";
const NOT_ADMITTED = "Who approved it may not use this hub now.";

export class Pairing extends DurableObject<Env> implements PairingRpc {
  readonly #sockets: PendingSockets;
  readonly #alarm: Alarm;
  #delivery: Promise<boolean> | undefined;

  constructor(ctx: DurableObjectState, env: Env) {
    super(ctx, env);
    this.#sockets = new PendingSockets(ctx);
    this.#alarm = new Alarm(ctx.storage);
  }

  /** A dial, as the Worker found it. */
  override async fetch(request: Request): Promise<Response> {
    const dial = readPairingDial(request.headers);
    if (dial === undefined) return new Response(null, { status: 400 });
    const refusal = await this.#admit(dial);
    if (refusal !== null) return refusal;
    const now = Date.now();
    const answer = this.#sockets.accept(dial.protocol, now);
    await this.#schedule();
    return answer;
  }

  look(userId: string): PairingLook {
    const isWaiting = this.#sockets.waiting() !== undefined;
    return lookAt(this.#record, { userId, code: this.#code, isWaiting, now: Date.now() });
  }

  async approve(person: PairingPerson): Promise<PairingDecision> {
    const record = this.#decide(person, true);
    if (record === null) return "none";
    try {
      await this.#audit("pairing_approved", person, record);
      const isSent = await this.#deliver();
      await this.#untell(record);
      return isSent ? "delivered" : "waits";
    } catch (error) {
      this.#undecide();
      throw error;
    }
  }

  async deny(person: PairingPerson): Promise<PairingDecision> {
    const record = this.#decide(person, false);
    if (record === null) return "none";
    this.#finish(record, "denied");
    this.#sockets.end({ type: "authorization_denied", reason: DENIED });
    await this.#audit("pairing_denied", person, record);
    await this.#untell(record);
    await this.#schedule();
    return "denied";
  }

  override async webSocketMessage(socket: WebSocket, data: string | ArrayBuffer): Promise<void> {
    const record = this.#record;
    // What was on its way when it ended.
    if (record === undefined || record.over !== null) return;
    try {
      if (!this.#sockets.count(socket)) throw new ConnectionError("rate_limited", "too many messages");
      if (typeof data !== "string") throw new ConnectionError("bad_message", "a binary message");
      const message = readPending(data, record.protocol);
      if (message?.type === "pending_register") await this.#register(socket, message, record);
      if (message?.type === "token_received") await this.#received(socket);
    } catch (error) {
      if (!(error instanceof ConnectionError)) log("unhandled", { error: errorName(error) });
      // What the hub could not do now is tried again when the connector has come back.
      const end = error instanceof ConnectionError ? error : new ConnectionError("internal_error");
      this.#sockets.dismiss(socket, end.code, end.message);
    }
  }

  override async webSocketClose(): Promise<void> {
    await this.#left();
  }

  override async webSocketError(): Promise<void> {
    await this.#left();
  }

  override async alarm(): Promise<void> {
    this.#alarm.wentOff();
    const [record, now] = [this.#record, Date.now()];
    this.#sockets.closeLate(now);
    if (record === undefined || now >= forgottenAt(record)) return this.#forget();
    if (record.over === null && now >= record.until) await this.#expire(record);
    else if (record.said === null && this.#sockets.isEmpty()) return this.#forget();
    await this.#schedule();
  }

  get #record(): PairingRecord | undefined {
    return readRecord(this.ctx.storage);
  }

  get #code(): string {
    const { name } = this.ctx.id;
    if (name === undefined) throw new Error("A Pairing is named by its code.");
    return name;
  }

  /** Begins a pairing, or goes on with the one of the same secret; the refusal where neither may be. */
  async #admit(dial: PairingDial): Promise<Response | null> {
    if (this.#record === undefined) {
      const counted = await countExactOf(this.env, "new-pairing", dial.place);
      if (!counted.allowed) return tooManyPairings(counted.retryAfterSeconds);
    }
    const now = Date.now();
    const known = this.#record;
    if (known === undefined) writeRecord(this.ctx.storage, newRecord(dial, now));
    else if (known.secretHash !== dial.secretHash || known.over !== null || now >= known.until)
      return refuseDial(410, "pairing_over", "This pairing is over. Ask for a new code, with a new secret.");
    const counted = countDial(this.ctx.storage, now);
    return counted.allowed ? null : tooManyDials(counted.retryAfterSeconds);
  }

  async #register(socket: WebSocket, message: PendingRegister, record: PairingRecord): Promise<void> {
    if (this.#sockets.isRegistered(socket))
      throw new ConnectionError("bad_message", "pending_register twice");
    const isNew = record.said === null;
    record.said ??= saidBy(message);
    writeRecord(this.ctx.storage, record);
    this.#sockets.register(socket);
    const code = this.#code;
    const answer = {
      type: "pending_registered",
      success: true,
      ...(message.pending_id !== undefined && { pending_id: message.pending_id }),
      code,
      url: `${this.env.HUB_ORIGIN}${routes.pair}?code=${code}`,
      fingerprint: record.fingerprint,
      expires_in: Math.min(
        PAIRING.lifetimeSeconds,
        Math.max(0, Math.ceil((record.until - Date.now()) / 1000)),
      ),
    } as const;
    socket.send(encodePairing(answer));
    await this.#schedule();
    if (isNew) await this.#tell(record);
    await this.#deliver();
  }

  /** Marks it as decided; null where there is nothing to decide any more. Of two who decide at once one is first. */
  #decide(by: PairingPerson, approved: boolean): PairingRecord | null {
    const record = this.#record;
    if (record === undefined || record.said === null || record.decision !== null) return null;
    if (record.over !== null || Date.now() >= record.until) return null;
    record.decision = { by, approved, tokenId: null };
    writeRecord(this.ctx.storage, record);
    return record;
  }

  /** Nothing came of it, so it can be decided anew: nobody would try to deliver while the connector stays. */
  #undecide(): void {
    const record = this.#record;
    if (record?.over === null && record.decision?.tokenId === null)
      writeRecord(this.ctx.storage, { ...record, decision: null });
  }

  /** True where the token was sent. One delivery at a time: there is one token. */
  #deliver(): Promise<boolean> {
    this.#delivery ??= this.#deliverOnce().finally(() => (this.#delivery = undefined));
    return this.#delivery;
  }

  async #deliverOnce(): Promise<boolean> {
    const record = this.#record;
    if (record?.decision?.approved !== true || record.over !== null) return false;
    if (this.#sockets.waiting() === undefined) return false;
    const { by, tokenId } = record.decision;
    // One that was sent before and did not arrive.
    if (tokenId !== null) await takeBack(this.env, by, tokenId);
    const made = await makeGrant(this.env, by, record.said?.hostname ?? "");
    if (made === null) {
      this.#finish(record, "denied");
      this.#sockets.end({ type: "authorization_denied", reason: NOT_ADMITTED });
      return false;
    }
    // Its time may have come meanwhile.
    if (this.#record?.over === null) return this.#send(made, record, by);
    await takeBack(this.env, by, made.row.id);
    return false;
  }

  #send({ text: token, row }: Grant, record: PairingRecord, by: PairingPerson): boolean {
    const socket = this.#sockets.waiting();
    // Version 1 says nothing of its arrival.
    const over = record.protocol === 1 && socket !== undefined ? "used" : null;
    writeRecord(this.ctx.storage, { ...record, decision: { by, approved: true, tokenId: row.id }, over });
    const clientId = record.said?.clientId ?? "";
    socket?.send(encodePairing({ type: "token_granted", token, client_id: clientId, user: by.login }));
    if (over !== null) this.#sockets.end(null);
    return socket !== undefined;
  }

  /** The token is kept at the other end. */
  async #received(socket: WebSocket): Promise<void> {
    const record = this.#record;
    if (typeof record?.decision?.tokenId !== "string" || !this.#sockets.isRegistered(socket))
      throw new ConnectionError("bad_message", "token_received before token_granted");
    this.#finish(record, "used");
    this.#sockets.end(null);
    await this.#schedule();
  }

  async #expire(record: PairingRecord): Promise<void> {
    this.#finish(record, "expired");
    this.#sockets.end({ type: "authorization_timeout", message: TOO_LATE });
    await this.#untell(record);
  }

  /** One of version 1 cannot come back to its code, and what never said who it is was promised nothing. */
  async #left(): Promise<void> {
    const record = this.#record;
    if (record === undefined || record.over !== null || !this.#sockets.isEmpty()) return;
    if (record.said !== null && record.protocol === 2) return;
    await this.#untell(record);
    await this.#forget();
  }

  #finish(record: PairingRecord, over: NonNullable<PairingRecord["over"]>): void {
    record.over = over;
    writeRecord(this.ctx.storage, record);
  }

  async #forget(): Promise<void> {
    this.#alarm.wentOff();
    await this.ctx.storage.deleteAlarm();
    await this.ctx.storage.deleteAll();
  }

  async #schedule(): Promise<void> {
    await this.#alarm.set(() => {
      const record = this.#record;
      if (record === undefined) return null;
      const endsAt = record.over === null ? record.until : forgottenAt(record);
      return Math.min(endsAt, this.#sockets.dueAt() ?? endsAt);
    });
  }

  /** Shows it on the dashboards of those who are named. */
  async #tell(record: PairingRecord): Promise<void> {
    const { names, said, since, until } = record;
    if (names === null || said === null) return;
    const told = await namedPeople(this.env.DB, names);
    const current = this.#record;
    if (current === undefined || current.decision !== null || current.over !== null) return;
    writeRecord(this.ctx.storage, { ...current, told });
    const notice = { code: this.#code, hostname: said.hostname, project: said.project, since, until };
    await tellEach(told, (userId) => this.env.USER_HUB.getByName(userId).pairingAsks(notice));
  }

  async #untell({ told }: PairingRecord): Promise<void> {
    await tellEach(told, (userId) => this.env.USER_HUB.getByName(userId).pairingOver(this.#code));
  }

  async #audit(
    action: AuditAction,
    person: PairingPerson,
    { said, fingerprint }: PairingRecord,
  ): Promise<void> {
    const subject = auditSubject(said?.hostname ?? "", fingerprint);
    await recordAudit(this.env.DB, { action, ...person, subject, reason: null });
  }
}
