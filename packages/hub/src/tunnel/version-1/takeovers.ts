/**
 * Two programs under one client id. In version 1 whoever is replaced dials again and replaces the other, for ever: once that has
 * happened a few times in a row, the older is told to give up. Once is no sign of it: a client that lost its network does the same.
 */
import { takeAttempt, type RateLimitRule } from "../../auth/rate-limits.ts";
import type { ConnectorAttachment } from "../attachments.ts";

const TAKEOVERS: RateLimitRule = { max: 3, windowMs: 120_000 };

/** What the older hears, and does not come back after. At most 123 bytes. */
export const CONTESTED = "Another program connects with the same client_id. Give each one of its own.";

/** Remembers that a connection has replaced another; true where that was one too many. */
export function isContested(
  attachment: ConnectorAttachment,
  former: ConnectorAttachment,
  now: number,
): boolean {
  if (attachment.protocol !== 1 || former.protocol !== 1) return false;
  const { attempts, decision } = takeAttempt(former.takeovers ?? [], TAKEOVERS, now);
  attachment.takeovers = attempts;
  return !decision.allowed;
}
