/** The one type of workerd that the runner shares with the Worker's database code; all others would hide Node's. */
import type { D1Database as Database } from "@cloudflare/workers-types/index.ts";

declare global {
  type D1Database = Database;
}
