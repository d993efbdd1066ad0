import { configDefaults, defineConfig } from "vitest/config";

/** Tests of the built hub as a whole: the tunnel's contract in Node, pages in a browser. One file at a time: two cores. */
export default defineConfig({
  ssr: { resolve: { conditions: ["source"] } },
  resolve: { conditions: ["source"] },
  test: {
    globalSetup: "./global-setup.ts",
    include: ["**/*.test.ts"],
    exclude: [...configDefaults.exclude, "claudecodeui/**"],
    fileParallelism: false,
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
