import { applyD1Migrations } from "cloudflare:test";
import { env } from "cloudflare:workers";
import { beforeAll } from "vitest";
import { noticeSettings } from "../src/auth/settings-change.ts";

beforeAll(async () => {
  await applyD1Migrations(env.DB, env.TEST_MIGRATIONS);
  // Or the first request finds them changed, and asks after everybody whom a test has admitted without a policy.
  await noticeSettings(env);
});
