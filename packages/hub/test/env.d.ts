import type { D1Migration } from "@cloudflare/vitest-plugin";
import type { Env as HubEnv } from "../src/env.ts";

declare global {
  namespace Cloudflare {
    interface Env extends HubEnv {
      TEST_MIGRATIONS: D1Migration[];
    }
    /** What makes `exports.default` of `cloudflare:workers` known: the Worker under test. */
    interface GlobalProps {
      mainModule: typeof import("../src/worker.ts");
    }
  }
}
