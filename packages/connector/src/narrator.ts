/** Puts what happens to a connection into words, a line for each thing: what the command prints and the log keeps. */
import type { Absence, ConnectionErrorCode, LogLine } from "@ai-orchestrator/protocol";
import { MAX_RETRY_MS } from "./retry-after.ts";

export interface Said {
  kind: "connecting" | "connected" | "lost" | "sent_away" | "stopped" | "note" | "status";
  level: LogLine["level"];
  text: string;
}

export class Narrator {
  /** What was said of the connection last. */
  #before: Said | undefined;
  #status = "";
  #wasConnected = false;

  connecting(url: string, clientId: string): Said {
    return { kind: "connecting", level: "info", text: `Connecting to ${url} as ${clientId}` };
  }

  connected(url: string, absence: Absence | undefined): Said {
    const how =
      this.#before?.kind === "sent_away" ? "Let back" : this.#wasConnected ? "Connected again" : "Connected";
    const why = absence === undefined ? "" : ` (${absenceText(absence)})`;
    this.#wasConnected = true;
    return this.#said({ kind: "connected", level: "info", text: `${how}: ${url}${why}` });
  }

  /** Undefined for another attempt that failed as the one before: that is one event, not one each. */
  disconnected(code: string, message: string, retryMs: number): Said | undefined {
    const what = this.#before?.kind === "connected" ? "Connection lost" : "No connection";
    const text = `${what}: ${withoutDot(message || code)}. Trying again `;
    if (this.#before?.kind === "lost" && this.#before.text.startsWith(text)) return undefined;
    return this.#said({
      kind: "lost",
      level: "warning",
      text: `${text}${inTime(retryMs)}, and until it works.`,
    });
  }

  sentAway(): Said {
    const text = "Sent away by its owner. It asks every minute whether it may return.";
    return this.#said({ kind: "sent_away", level: "warning", text });
  }

  stopped(code: ConnectionErrorCode, message: string): Said {
    const next = NEXT_STEP[code] ?? "Start again to connect again.";
    return this.#said({
      kind: "stopped",
      level: "error",
      text: `Stopped by the hub: ${withoutDot(message || code)}. ${next}`,
    });
  }

  note(message: string): Said {
    return { kind: "note", level: "warning", text: `Note: ${message}` };
  }

  /** Undefined where the words are the same: a session that changes without changing them is no news here. */
  status(status: string, needsPerson: number): Said | undefined {
    const needs = needsPerson > 0 ? `, ${needsPerson} ${needsPerson === 1 ? "needs" : "need"} you` : "";
    const text = `Status: ${status}${needs}`;
    if (text === this.#status) return undefined;
    this.#status = text;
    return { kind: "status", level: "info", text };
  }

  #said(said: Said): Said {
    this.#before = said;
    return said;
  }
}

const NEXT_STEP: Partial<Record<ConnectionErrorCode, string>> = {
  unauthorized: "Check ORCHESTRATOR_TOKEN, or make a new token on the hub's page for tokens.",
  token_revoked: "Make a new token on the hub's page for tokens.",
  replaced: "Another connector with this id took over; give one of them another --client-id.",
  unsupported_version: "Hub and connector speak different versions; update the older one.",
};

const ABSENCES: Record<Absence["cause"], string> = {
  asleep: "this machine slept for",
  frozen: "this process did not run for",
  network: "there was no way to the hub for",
};

function absenceText({ cause, since, until }: Absence): string {
  return `${ABSENCES[cause]} ${duration(until - since)}`;
}

function inTime(ms: number): string {
  return ms < 500 ? "at once" : `in ${duration(Math.min(ms, MAX_RETRY_MS))}`;
}

function duration(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`;
}

/** Hubs say sentences; here they stand inside one. */
function withoutDot(message: string): string {
  return message.replace(/\.$/, "");
}
