/** How many instances and dashboards there are, as each person's UserHub last said. */

export interface CensusRow {
  /** Connected now. */
  instances: number;
  /** Open dashboards. */
  browsers: number;
}

/** Writes a person's numbers; no row where they are what is written already, or the person is not in D1. */
export async function saveCensus(
  db: D1Database,
  userId: string,
  { instances, browsers }: CensusRow,
  now: number = Date.now(),
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO census (user_id, instances, browsers, changed_at)
       SELECT id, ?2, ?3, ?4 FROM users WHERE id = ?1
       ON CONFLICT (user_id) DO UPDATE SET instances = ?2, browsers = ?3, changed_at = ?4
       WHERE instances <> ?2 OR browsers <> ?3`,
    )
    .bind(userId, instances, browsers, now)
    .run();
}

/** Everybody's numbers, added up. */
export async function countCensus(db: D1Database): Promise<CensusRow> {
  const sums = await db
    .prepare(
      "SELECT coalesce(sum(instances), 0) AS instances, coalesce(sum(browsers), 0) AS browsers FROM census",
    )
    .first<CensusRow>();
  return sums ?? { instances: 0, browsers: 0 };
}
