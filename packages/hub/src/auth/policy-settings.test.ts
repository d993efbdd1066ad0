import { expect, it } from "vitest";
import { isEntityName, parseEntry, parseGitHubId, parsePolicySettings } from "./policy-settings.ts";

it("reads every setting", () => {
  const { entities, problems } = parsePolicySettings({
    ALLOWED_ORGS: "acme:9919, other-org:2",
    ALLOWED_USERS: " octocat : 583231 ,,42,",
    ALLOWED_TEAMS: "acme/core:4567",
    ADMINS: "ann:7",
  });
  expect(problems).toEqual([]);
  const source = "settings";
  expect(entities).toEqual([
    { kind: "user", id: 7, name: "ann", role: "admin", source },
    { kind: "organization", id: 9919, name: "acme", role: "member", source },
    { kind: "organization", id: 2, name: "other-org", role: "member", source },
    { kind: "team", id: 4567, name: "acme/core", role: "member", source },
    { kind: "user", id: 583_231, name: "octocat", role: "member", source },
    { kind: "user", id: 42, name: "42", role: "member", source },
  ]);
});

it("is empty without settings, and with empty ones", () => {
  expect(parsePolicySettings({})).toEqual({ entities: [], problems: [] });
  const empty = { ALLOWED_ORGS: "", ALLOWED_USERS: " , ,", ALLOWED_TEAMS: "", ADMINS: " " };
  expect(parsePolicySettings(empty)).toEqual({ entities: [], problems: [] });
});

it("counts an administrator who is also an allowed user once, as an administrator", () => {
  const { entities } = parsePolicySettings({ ALLOWED_USERS: "ann:7,ann-again:7", ADMINS: "ann:7" });
  expect(entities).toEqual([{ kind: "user", id: 7, name: "ann", role: "admin", source: "settings" }]);
});

it("says how to find the id of a name that stands alone, and keeps the entries beside it", () => {
  const { entities, problems } = parsePolicySettings({
    ALLOWED_ORGS: "acme, other:2",
    ALLOWED_USERS: "octocat",
    ALLOWED_TEAMS: "acme/core",
    GITHUB_API_URL: "https://github.example.com/api/v3",
  });
  expect(entities.map(({ name }) => name)).toEqual(["other"]);
  expect(problems).toEqual([
    'ALLOWED_ORGS: "acme" has no id, so it lets nobody in. Write <name>:<id>; the id is the number "id" at ' +
      "https://github.example.com/api/v3/orgs/acme",
    'ALLOWED_TEAMS: "acme/core" has no id, so it lets nobody in. Write <organisation>/<team>:<id>; the id is the ' +
      'number "id" at https://github.example.com/api/v3/orgs/acme/teams/core (ask with: gh api orgs/acme/teams/core --jq .id)',
    'ALLOWED_USERS: "octocat" has no id, so it lets nobody in. Write <name>:<id>; the id is the number "id" at ' +
      "https://github.example.com/api/v3/users/octocat",
  ]);
});

it.each([
  [{}, "https://api.github.com/orgs/acme"],
  [{ GITHUB_URL: "https://github.com/" }, "https://api.github.com/orgs/acme"],
  [{ GITHUB_URL: "https://github.example.com" }, "https://github.example.com/api/v3/orgs/acme"],
  [{ GITHUB_API_URL: "https://api.example.com" }, "https://api.example.com/orgs/acme"],
])("asks the right GitHub with %j", (settings, url) => {
  expect(parsePolicySettings({ ALLOWED_ORGS: "acme", ...settings }).problems[0]).toContain(url);
});

it.each([
  "acme:",
  ":9919",
  "acme:0",
  "acme:-1",
  "acme:1e3",
  "acme:0x10",
  "acme:09919",
  "acme:9919.5",
  "acme:９９１９",
  "acme:99999999999999999999",
  "acme:9007199254740993",
  "acme:9919:",
  "acme 9919",
  "acme;other:2",
  "../acme:9919",
  "acme/..:1",
  "acme?x:1",
  "acme\n:evil:1",
  "<script>:1",
  "9919",
  "*",
])("admits nobody by an organisation written %j", (entry) => {
  const { entities, problems } = parsePolicySettings({ ALLOWED_ORGS: entry });
  expect(entities).toEqual([]);
  expect(problems).toHaveLength(1);
  expect(problems[0]).toContain("lets nobody in");
  expect(problems[0]).not.toContain("\n");
});

it("keeps a very long entry out of the log", () => {
  const { problems } = parsePolicySettings({ ADMINS: "x".repeat(5000) });
  expect(problems[0]?.length).toBeLessThan(200);
});

it("reads teams as <organisation>/<slug> only", () => {
  const wrong = ["core", "acme/", "/core", "acme/core/deep", "acme/..", "acme/.", "acme/a b"];
  expect(wrong.filter((name) => parseEntry("team", `${name}:5`) !== undefined)).toEqual([]);
  expect(parseEntry("team", "acme/_core.2:5")).toEqual({ id: 5, name: "acme/_core.2" });
  expect(parseEntry("team", "5")).toBeUndefined();
});

it("knows ids and names from what is neither", () => {
  expect(parseGitHubId("9007199254740991")).toBe(Number.MAX_SAFE_INTEGER);
  expect(parseGitHubId("9007199254740992")).toBeUndefined();
  expect(isEntityName("user", "octo-cat_corp")).toBe(true);
  expect(isEntityName("user", "-octocat")).toBe(false);
  expect(isEntityName("user", "acme/core")).toBe(false);
});
