/** The instances of one person, in the SQLite of their UserHub. One row per instance, written when something changes. */
import type { Status } from "@ai-orchestrator/protocol";
import { isFromFuture } from "../auth/admission.ts";
import type { GoneReason, InstanceConnected, StatusReport } from "../contracts.ts";
import { listed, seenUntilNow, type Instance } from "../instance.ts";
import { toInstance, type InstanceRow } from "./instance-row.ts";
import { migrate } from "./schema.ts";
import { Tally } from "./tally.ts";

/** More than anyone runs, and as many as a page can show; past it the one that has been gone for longest makes room, and what is connected stays. */
export const MAX_INSTANCES = 2000;
/** Milliseconds by which a proof of life must be newer to change what a card says of it. */
const WORTH_TELLING_MS = 10_000;
/** Milliseconds from the check of a connector's token to its registration, at most. */
const REGISTERS_WITHIN_MS = 60_000;
/** As long as D1 knows a revoked token, in milliseconds; by then nothing is connected with it. */
const REVOKED_KEPT_MS = 90 * 24 * 60 * 60_000;

/** What became of a registration; `forgot`: label of an instance that made room. */
interface Registered {
  outcome: "new" | "known" | "stale" | "full";
  forgot?: string | undefined;
}

export class Registry {
  readonly #sql: SqlStorage;
  readonly #tally: Tally;
  /** Proofs of life newer than the rows. Not worth a write: after an eviction the next look brings them again. */
  readonly #heard = new Map<string, number>();

  constructor(storage: DurableObjectStorage) {
    migrate(storage);
    this.#sql = storage.sql;
    this.#tally = new Tally(storage.sql);
  }

  /** Every instance, as it stands in a list. */
  list(): Instance[] {
    // Row by row: with every text of theirs all together may be more than an object can hold, and than a call can bring.
    const rows = this.#sql.exec<InstanceRow>("SELECT * FROM instances");
    return Array.from(rows, (row) => listed(this.#withProof(toInstance(row))));
  }

  /** The instance with this label or, where there is none, with this client id: labels no instance can choose. */
  find(idOrLabel: string): Instance | undefined {
    return this.findByLabel(idOrLabel) ?? this.findByClientId(idOrLabel);
  }

  findByClientId(clientId: string): Instance | undefined {
    const known = this.#byClientId(clientId);
    return known === undefined ? undefined : this.#withProof(known);
  }

  findByLabel(label: string): Instance | undefined {
    const [known] = this.#select("SELECT * FROM instances WHERE label = ?", label);
    return known === undefined ? undefined : this.#withProof(known);
  }

  withToken(tokenId: string): Instance[] {
    return this.#select("SELECT * FROM instances WHERE token_id = ?", tokenId);
  }

  /**
   * Remembers a new connection; says whether the instance was new. Refuses one older than the one it knows, and a new one
   * where there is no room left: what is connected is never forgotten, or revoking its token would not find it.
   */
  connected(from: InstanceConnected): Registered {
    const known = this.#byClientId(from.clientId);
    if (known !== undefined && past(known.connectedAt) > from.connectedAt) return { outcome: "stale" };
    const room = known === undefined ? this.#makeRoom() : {};
    if (room === null) return { outcome: "full" };
    // It has an index, whose row would be written with each connection.
    if (known !== undefined && known.label !== from.label)
      this.#update("label = ?2 WHERE client_id = ?1", from.clientId, from.label);
    this.#write(from, known);
    this.#tally.add(known === undefined ? 1 : 0, known?.connected === true ? 0 : 1);
    return { outcome: known === undefined ? "new" : "known", ...room };
  }

  /**
   * Remembers a report; true where it changes what people see. A report is also proof of life, so an instance that was
   * thought gone before it is back.
   */
  reported(clientId: string, report: StatusReport): boolean {
    const known = this.#byClientId(clientId);
    if (known === undefined || report.at < past(Math.max(known.heardAt, known.goneAt ?? 0))) return false;
    const sessions = JSON.stringify(report.sessions);
    const sameStatus = keepsStatus(known, report.status);
    if (sameStatus && sessions === JSON.stringify(known.sessions)) return false;
    this.#sql.exec(
      `UPDATE instances SET status = ?, status_since = ?, sessions = ?, seen_until = ?, heard_at = ?, connected = 1,
         gone_at = NULL, gone_reason = NULL, kept_away = 0 WHERE client_id = ?`,
      report.status,
      sameStatus ? known.statusSince : report.at,
      sessions,
      seenUntilNow(known, report.sessions),
      report.at,
      clientId,
    );
    this.#tally.add(0, known.connected ? 0 : 1);
    return true;
  }

  /**
   * Remembers that a connection ended; false where a newer one has taken its place, or it was known. One that its owner has
   * ended is kept away, though the hub may not have heard that its Tunnel has done it.
   */
  gone(clientId: string, end: { connectedAt: number; reason: GoneReason; at: number }): boolean {
    const known = this.#byClientId(clientId);
    if (known === undefined || !known.connected || end.connectedAt < known.connectedAt) return false;
    this.#sql.exec(
      `UPDATE instances SET connected = 0, gone_at = ?1, gone_reason = ?2, kept_away = kept_away OR ?2 = 'disconnected'
       WHERE client_id = ?3`,
      end.at,
      end.reason,
      clientId,
    );
    this.#tally.add(0, -1);
    return true;
  }

  /** An instance thought gone was heard at `at`, later than its end; true where that changes something. */
  returned(clientId: string, at: number): boolean {
    const known = this.#byClientId(clientId);
    if (known === undefined || known.connected || at <= past(known.goneAt ?? 0)) return false;
    this.#tally.add(0, 1);
    return this.#update(
      "connected = 1, gone_at = NULL, gone_reason = NULL, kept_away = 0, heard_at = ?2 WHERE client_id = ?1",
      clientId,
      at,
    );
  }

  /** Notes a proof of life that changes nothing else; true where it is newer than what people see by `worthMs`. */
  heard(clientId: string, at: number, worthMs: number = WORTH_TELLING_MS): boolean {
    const known = this.findByClientId(clientId);
    if (known === undefined || at < past(known.heardAt) + worthMs) return false;
    this.#heard.set(clientId, at);
    return true;
  }

  /** Remembers whether its owner has sent an instance away; true where that changes something, as in what follows. */
  keptAway(clientId: string, isKeptAway: boolean): boolean {
    return this.#update(
      "kept_away = ?2 WHERE client_id = ?1 AND kept_away <> ?2",
      clientId,
      Number(isKeptAway),
    );
  }

  /** Remembers whether its owner lets it run in path mode. */
  trustPath(clientId: string, isTrusted: boolean): boolean {
    return this.#update(
      "path_trusted = ?2 WHERE client_id = ?1 AND path_trusted <> ?2",
      clientId,
      Number(isTrusted),
    );
  }

  rename(clientId: string, name: string): boolean {
    return this.#update("name = ?2 WHERE client_id = ?1 AND name <> ?2", clientId, name);
  }

  /** Sessions that ended up to then have been seen. */
  seen(clientId: string, until: number): boolean {
    return this.#update("seen_until = ?2 WHERE client_id = ?1 AND seen_until < ?2", clientId, until);
  }

  forget(clientId: string): boolean {
    const known = this.#byClientId(clientId);
    if (known === undefined) return false;
    this.#delete(known);
    return true;
  }

  countConnected(): number {
    return this.#tally.counts().connected;
  }

  markTokenRevoked(tokenId: string, at: number): void {
    this.#sql.exec("DELETE FROM revoked_tokens WHERE revoked_at < ?", at - REVOKED_KEPT_MS);
    this.#sql.exec("INSERT OR IGNORE INTO revoked_tokens (token_id, revoked_at) VALUES (?, ?)", tokenId, at);
  }

  isTokenRevoked(tokenId: string): boolean {
    return this.#sql.exec("SELECT 1 FROM revoked_tokens WHERE token_id = ?", tokenId).toArray().length > 0;
  }

  /** Remembers when a token that was rotated stops working, while instances may still register that do not know. */
  markTokenExpires(tokenId: string, at: number, now: number): void {
    this.#sql.exec("DELETE FROM expiring_tokens WHERE at <= ?", now - REGISTERS_WITHIN_MS);
    this.#sql.exec(
      `INSERT INTO expiring_tokens (token_id, at) VALUES (?, ?)
       ON CONFLICT (token_id) DO UPDATE SET at = min(at, excluded.at)`,
      tokenId,
      at,
    );
  }

  /** When a token that was rotated stops working, in milliseconds since the epoch; undefined for others. */
  tokenExpiry(tokenId: string): number | undefined {
    const query = "SELECT at FROM expiring_tokens WHERE token_id = ?";
    return this.#sql.exec<{ at: number }>(query, tokenId).toArray()[0]?.at;
  }

  #write(from: InstanceConnected, known: Instance | undefined): void {
    const upstream = from.metadata.upstream ?? { name: null, version: null };
    this.#sql.exec(
      `INSERT INTO instances (client_id, label, token_id, software_name, software_version, hostname, project,
         platform, upstream_name, upstream_version, status, status_since, sessions, connected, connected_at, heard_at,
         first_seen_at, seen_until, absence, protocol, access)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT (client_id) DO UPDATE SET token_id = excluded.token_id,
         software_name = excluded.software_name, software_version = excluded.software_version,
         hostname = excluded.hostname, project = excluded.project, platform = excluded.platform,
         upstream_name = excluded.upstream_name, upstream_version = excluded.upstream_version,
         status = excluded.status, status_since = excluded.status_since, sessions = excluded.sessions, connected = 1,
         connected_at = excluded.connected_at, heard_at = excluded.heard_at, gone_at = NULL, gone_reason = NULL,
         kept_away = 0, path_trusted = path_trusted AND token_id = excluded.token_id, seen_until = excluded.seen_until, absence = excluded.absence,
         protocol = excluded.protocol, access = excluded.access`,
      from.clientId,
      from.label,
      from.tokenId,
      from.software.name,
      from.software.version,
      from.metadata.hostname,
      from.metadata.project,
      from.metadata.platform,
      upstream.name,
      upstream.version,
      from.status,
      keepsStatus(known, from.status) ? known.statusSince : from.connectedAt,
      JSON.stringify(from.sessions),
      from.connectedAt,
      from.connectedAt,
      from.connectedAt,
      known === undefined ? 0 : seenUntilNow(known, from.sessions),
      from.absence === undefined ? null : JSON.stringify(from.absence),
      from.protocol,
      from.access === undefined ? null : JSON.stringify(from.access),
    );
  }

  #update(change: string, ...bindings: SqlStorageValue[]): boolean {
    return this.#sql.exec(`UPDATE instances SET ${change}`, ...bindings).rowsWritten > 0;
  }

  #withProof(instance: Instance): Instance {
    const heardAt = this.#heard.get(instance.clientId);
    return heardAt === undefined
      ? instance
      : { ...instance, heardAt: Math.max(past(instance.heardAt), heardAt) };
  }

  #byClientId(clientId: string): Instance | undefined {
    return this.#select("SELECT * FROM instances WHERE client_id = ?", clientId)[0];
  }

  /**
   * Forgets what has been gone for longest where the registry is full; null if all of it is connected, waits to be let back, or is
   * allowed path mode: of that its Tunnel must know.
   */
  #makeRoom(): Pick<Registered, "forgot"> | null {
    if (this.#tally.counts().all < MAX_INSTANCES) return {};
    const [longest] = this.#select(
      "SELECT * FROM instances WHERE connected = 0 AND kept_away = 0 AND path_trusted = 0 ORDER BY heard_at LIMIT 1",
    );
    if (longest === undefined) return null;
    this.#delete(longest);
    return { forgot: longest.label };
  }

  #delete({ clientId, connected }: Instance): void {
    this.#heard.delete(clientId);
    this.#sql.exec("DELETE FROM instances WHERE client_id = ?", clientId);
    this.#tally.add(-1, connected ? -1 : 0);
  }

  #select(query: string, ...bindings: SqlStorageValue[]): Instance[] {
    return this.#sql
      .exec<InstanceRow>(query, ...bindings)
      .toArray()
      .map(toInstance);
  }
}

/** A time to compare others with: 0 where the clock that gave it was ahead and has been set back since, or nothing would be new for long. */
function past(at: number): number {
  return isFromFuture(at, Date.now()) ? 0 : at;
}

function keepsStatus(known: Instance | undefined, status: Status): known is Instance {
  return known?.connected === true && known.status === status;
}
