import { sha256 } from "../secrets.ts";

const KEPT_MS = 30 * 24 * 60 * 60 * 1000;

/** True where a delivery with this signature has taken effect in the last 30 days. */
export async function isKnownDelivery(db: D1Database, signature: string): Promise<boolean> {
  const row = await db
    .prepare("SELECT 1 FROM webhook_deliveries WHERE signature_hash = ?")
    .bind(await sha256(signature))
    .first();
  return row !== null;
}

/** Remembers a delivery that has taken effect, and forgets those of more than 30 days ago. */
export async function noteDelivery(
  db: D1Database,
  signature: string,
  now: number = Date.now(),
): Promise<void> {
  await db.batch([
    db.prepare("DELETE FROM webhook_deliveries WHERE received_at <= ?").bind(now - KEPT_MS),
    db
      .prepare("INSERT OR REPLACE INTO webhook_deliveries (signature_hash, received_at) VALUES (?, ?)")
      .bind(await sha256(signature), now),
  ]);
}
