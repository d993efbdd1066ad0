import { defineConfig } from "vitest/config";

/** The slow suite: a real claudecodeui and a real Claude Code. Installing them takes minutes the first time. */
export default defineConfig({
  resolve: { conditions: ["source"] },
  ssr: { resolve: { conditions: ["source"] } },
  test: {
    globalSetup: "./global-setup.ts",
    environment: "node",
    include: ["claudecodeui/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 15 * 60_000,
    fileParallelism: false,
  },
});
