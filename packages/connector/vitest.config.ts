import { defineConfig } from "vitest/config";

export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: { environment: "node", include: ["src/**/*.test.ts"], testTimeout: 20_000 },
});
