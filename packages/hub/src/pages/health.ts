import { Hono } from "hono";
import type { HubContext } from "../hono.ts";
import { routes } from "../routes.ts";

/** Whether the hub can do its work, for people and monitors: 200 or 503. */
export const healthPage = new Hono<HubContext>();

healthPage.get(routes.health, async (c) => {
  const database = await isDatabaseUp(c.env.DB);
  const status = database ? "ok" : "failing";
  return c.json({ status, dependencies: { database: database ? "ok" : "failing" } }, database ? 200 : 503);
});

async function isDatabaseUp(db: D1Database): Promise<boolean> {
  try {
    await db.prepare("SELECT 1 FROM users LIMIT 1").first();
    return true;
  } catch (error) {
    console.error({ event: "database_failing", error: String(error) });
    return false;
  }
}
