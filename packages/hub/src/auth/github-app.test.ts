import { env } from "cloudflare:workers";
import { beforeEach, expect, it, vi } from "vitest";
import {
  loadGitHub,
  loadGitHubApp,
  storeGitHubApp,
  type GitHubSettings,
  type MadeApp,
} from "./github-app.ts";

const MADE: MadeApp = {
  id: 7,
  slug: "orchestrator",
  pageUrl: "https://github.com/apps/orchestrator",
  clientId: "Iv23",
  clientSecret: "client-secret",
  webhookSecret: "webhook-secret",
};
const NAMED = { GITHUB_SIGN_IN: "enabled", GITHUB_CLIENT_ID: "Iv1", GITHUB_CLIENT_SECRET: "secret" };
const DEFAULT = { url: "https://github.com", apiUrl: "https://api.github.com" };

beforeEach(async () => {
  await env.DB.exec("DELETE FROM github_app");
});

function load(settings: GitHubSettings) {
  return loadGitHub({ ...env, ...settings });
}

it("is off unless it is enabled, whatever else is set", async () => {
  expect(await load({})).toEqual({ state: "off" });
  expect(await load({ ...NAMED, GITHUB_SIGN_IN: "yes" })).toEqual({ state: "off" });
  expect(await loadGitHubApp({ ...env, ...NAMED, GITHUB_SIGN_IN: "" })).toBeNull();
});

it("takes the App from the settings", async () => {
  const app = { ...DEFAULT, clientId: "Iv1", clientSecret: "secret", webhookSecret: null, pageUrl: null };
  expect(await load(NAMED)).toEqual({ state: "ready", app });
  expect(await loadGitHubApp({ ...env, ...NAMED, GITHUB_WEBHOOK_SECRET: "hook" })).toEqual({
    ...app,
    webhookSecret: "hook",
  });
});

it("takes the App that setup made, whose secrets a copy of the database does not show", async () => {
  expect(await load({ GITHUB_SIGN_IN: "enabled" })).toEqual({ state: "not_set_up", place: DEFAULT });
  expect(await storeGitHubApp(env, MADE, 5)).toBe(true);
  const { pageUrl, clientId, clientSecret, webhookSecret } = MADE;
  const app = { ...DEFAULT, pageUrl, clientId, clientSecret, webhookSecret };
  expect(await load({ GITHUB_SIGN_IN: "enabled" })).toEqual({ state: "ready", app });
  const { results } = await env.DB.prepare("SELECT * FROM github_app").all();
  expect(JSON.stringify(results)).not.toContain("-secret");
  // Settings come first, and there is one App.
  expect(await load(NAMED)).toMatchObject({ state: "ready", app: { clientId: "Iv1" } });
  expect(await storeGitHubApp(env, { ...MADE, clientId: "other" }, 6)).toBe(false);
  expect(await loadGitHubApp({ ...env, GITHUB_SIGN_IN: "enabled" })).toMatchObject({ clientId: "Iv23" });
});

it("knows an App without webhooks, which settings give it later", async () => {
  await storeGitHubApp(env, { ...MADE, webhookSecret: null }, 5);
  const settings = { ...env, GITHUB_SIGN_IN: "enabled" };
  expect(await loadGitHubApp(settings)).toMatchObject({ webhookSecret: null });
  const later = { ...settings, GITHUB_WEBHOOK_SECRET: "hook" };
  expect(await loadGitHubApp(later)).toMatchObject({ clientId: "Iv23", webhookSecret: "hook" });
});

it.each([
  [
    "https://github.example.com/",
    undefined,
    "https://github.example.com",
    "https://github.example.com/api/v3",
  ],
  [
    "https://git.example.com",
    "https://api.git.example.com//",
    "https://git.example.com",
    "https://api.git.example.com",
  ],
  ["http://127.0.0.1:9200", undefined, "http://127.0.0.1:9200", "http://127.0.0.1:9200/api/v3"],
  ["", "", DEFAULT.url, DEFAULT.apiUrl],
])("finds GitHub at %s", async (url, api, expectedUrl, expectedApi) => {
  const settings = { ...NAMED, GITHUB_URL: url, ...(api === undefined ? {} : { GITHUB_API_URL: api }) };
  expect(await load(settings)).toMatchObject({ app: { url: expectedUrl, apiUrl: expectedApi } });
});

it.each([
  [{ GITHUB_URL: "github.com" }, "GITHUB_URL"],
  [{ GITHUB_URL: "http://github.example.com" }, "GITHUB_URL"],
  [{ GITHUB_URL: "https://user@github.example.com" }, "GITHUB_URL"],
  [{ GITHUB_URL: "https://github.example.com/?x" }, "GITHUB_URL"],
  [{ GITHUB_URL: "javascript:alert(1)" }, "GITHUB_URL"],
  [{ GITHUB_API_URL: "ftp://x" }, "GITHUB_API_URL"],
  [{ GITHUB_CLIENT_SECRET: "" }, "GITHUB_CLIENT_ID"],
  [{ GITHUB_CLIENT_ID: "" }, "GITHUB_CLIENT_ID"],
])("refuses %j and names the setting in the log", async (settings, name) => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  const state = await load({ ...NAMED, ...settings });
  expect(state.state).toBe("misconfigured");
  expect(JSON.stringify(log.mock.calls)).toContain(name);
  expect(await loadGitHubApp({ ...env, ...NAMED, ...settings })).toBeNull();
  log.mockRestore();
});

it("refuses an App that was kept with another secret", async () => {
  const log = vi.spyOn(console, "error").mockReturnValue();
  await storeGitHubApp({ ...env, HUB_SECRET: "another-secret-with-more-than-43-characters-in-it" }, MADE, 5);
  const state = await load({ GITHUB_SIGN_IN: "enabled" });
  expect(state).toMatchObject({
    state: "misconfigured",
    problem: expect.stringContaining("HUB_SECRET") as string,
  });
  log.mockRestore();
});
