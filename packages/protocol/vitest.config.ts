import { cloudflareTest } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

const shared = { include: ["src/**/*.test.ts"], testTimeout: 10_000 };

/** The protocol runs in both engines, so the same tests do: Node (the connector's) and workerd (the hub's). */
export default defineConfig({
  test: {
    projects: [
      { test: { ...shared, name: "node", environment: "node", isolate: false } },
      {
        plugins: [cloudflareTest({ miniflare: { compatibilityDate: "2026-10-01" } })],
        test: { ...shared, name: "workerd" },
      },
    ],
  },
});
