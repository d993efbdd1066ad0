import type { AllowedEntity, EntityKind, Role } from "../auth/policy.ts";

/** An entity that an administrator added; `added_at` is in milliseconds since the epoch. */
export interface AllowedEntityRow {
  kind: EntityKind;
  github_id: number;
  name: string;
  role: Role;
  /** A user's id, and their login now; null where setup added it. */
  added_by: string | null;
  added_by_login: string | null;
  added_at: number;
}

/** Everything administrators added, in the order of its names. */
export async function listAllowedEntities(db: D1Database): Promise<AllowedEntityRow[]> {
  const { results } = await db
    .prepare(
      `SELECT e.kind, e.github_id, e.name, e.role, e.added_by, u.login AS added_by_login, e.added_at
       FROM allowed_entities e LEFT JOIN users u ON u.id = e.added_by
       ORDER BY e.name COLLATE NOCASE, e.kind, e.github_id`,
    )
    .all<AllowedEntityRow>();
  return results;
}

/** Adds an entity, or gives one that is there another name or role; who added it first stays. */
export async function saveAllowedEntity(
  db: D1Database,
  entity: Omit<AllowedEntity, "source">,
  addedBy: string | null,
  now: number = Date.now(),
): Promise<void> {
  await db
    .prepare(
      `INSERT INTO allowed_entities (kind, github_id, name, role, added_by, added_at) VALUES (?, ?, ?, ?, ?, ?)
       ON CONFLICT (kind, github_id) DO UPDATE SET name = excluded.name, role = excluded.role`,
    )
    .bind(entity.kind, entity.id, entity.name, entity.role, addedBy, now)
    .run();
}

/** Adds a person as administrator where no entity has that role; false where one does. Of two who come at once one is added. */
export async function saveFirstAdministrator(
  db: D1Database,
  user: { id: number; login: string },
  now: number,
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO allowed_entities (kind, github_id, name, role, added_by, added_at)
       SELECT 'user', ?1, ?2, 'admin', NULL, ?3
       WHERE NOT EXISTS (SELECT 1 FROM allowed_entities WHERE role = 'admin')
       ON CONFLICT (kind, github_id) DO UPDATE SET name = excluded.name, role = excluded.role`,
    )
    .bind(user.id, user.login, now)
    .run();
  return meta.changes > 0;
}

/** Removes an entity; false where there is none. */
export async function deleteAllowedEntity(db: D1Database, kind: EntityKind, id: number): Promise<boolean> {
  const { meta } = await db
    .prepare("DELETE FROM allowed_entities WHERE kind = ? AND github_id = ?")
    .bind(kind, id)
    .run();
  return meta.changes > 0;
}

/** Gives an organisation another name, and its teams with it where the former name is known. */
export async function renameAllowedOrganization(
  db: D1Database,
  { id, login, former }: { id: number; login: string; former: string | undefined },
): Promise<void> {
  const organization = db
    .prepare("UPDATE allowed_entities SET name = ? WHERE kind = 'organization' AND github_id = ?")
    .bind(login, id);
  const prefix = `${(former ?? "").toLowerCase()}/`;
  const teams = db
    .prepare(
      `UPDATE allowed_entities SET name = ?1 || substr(name, length(?2))
       WHERE kind = 'team' AND lower(substr(name, 1, length(?2))) = ?2`,
    )
    .bind(login, prefix);
  await db.batch(former === undefined ? [organization] : [organization, teams]);
}

/** Gives a team another name, `<organisation>/<slug>`. */
export async function renameAllowedTeam(
  db: D1Database,
  { id, name }: { id: number; name: string },
): Promise<void> {
  await db
    .prepare("UPDATE allowed_entities SET name = ? WHERE kind = 'team' AND github_id = ?")
    .bind(name, id)
    .run();
}
