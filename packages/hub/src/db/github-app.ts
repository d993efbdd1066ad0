/** The GitHub App that setup made; its secrets are sealed by auth/github-app.ts. */
export interface GitHubAppRow {
  app_id: number;
  slug: string;
  html_url: string;
  client_id: string;
  client_secret: string;
  webhook_secret: string;
}

export function findGitHubApp(db: D1Database): Promise<GitHubAppRow | null> {
  return db
    .prepare("SELECT app_id, slug, html_url, client_id, client_secret, webhook_secret FROM github_app")
    .first<GitHubAppRow>();
}

/** Keeps the App; false where there is one already, which stays. */
export async function saveGitHubApp(
  db: D1Database,
  app: GitHubAppRow,
  now: number = Date.now(),
): Promise<boolean> {
  const { meta } = await db
    .prepare(
      `INSERT INTO github_app (only_row, app_id, slug, html_url, client_id, client_secret, webhook_secret, created_at)
       VALUES (1, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
    )
    .bind(app.app_id, app.slug, app.html_url, app.client_id, app.client_secret, app.webhook_secret, now)
    .run();
  return meta.changes > 0;
}
