import type { D1Migration } from "@cloudflare/vitest-plugin";
import type { Env as HubEnv } from "../src/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends HubEnv {
      TEST_MIGRATIONS: D1Migration[];
    }
  }
}
