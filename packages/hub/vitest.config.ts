import { cloudflareTest, readD1Migrations } from "@cloudflare/vitest-plugin";
import { defineConfig } from "vitest/config";

/** The hub's tests run in workerd, with the Worker of `src/worker.ts` and its objects. */
export default defineConfig(async () => {
  const migrations = await readD1Migrations(`${import.meta.dirname}/migrations`);
  return {
    define: { ASSETS_VERSION: JSON.stringify("dev") },
    resolve: { conditions: ["source"] },
    ssr: { resolve: { conditions: ["source"] } },
    plugins: [
      cloudflareTest({
        main: "./src/worker.ts",
        wrangler: { configPath: "./wrangler.jsonc" },
        miniflare: {
          bindings: {
            TEST_MIGRATIONS: migrations,
            HUB_SECRET: "a-secret-for-tests-with-more-than-43-characters",
            LOCAL_SIGN_IN: "enabled",
          },
        },
      }),
    ],
    test: {
      include: ["src/**/*.test.{ts,tsx}", "test/**/*.test.ts"],
      setupFiles: ["./test/count-nothing.ts", "./test/apply-migrations.ts"],
      testTimeout: 10_000,
      // What happens every day in a hub happens in every test.
      onConsoleLog: (text: string) => !text.includes('"level":"info"'),
    },
  };
});
