import { chmod, chown, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readHostFlags } from "./settings-flags.ts";
import { type Flags, readSettings, SettingsError, type SettingsSources } from "./settings.ts";

const token = "orch_0123456789abcdef";
const url = "https://hub.example.com";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "settings-"));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

type Given = Partial<Record<keyof Flags, string>>;

function flagged(given: Given): Flags {
  return Object.fromEntries(
    Object.entries(given).map(([name, text]) => [
      name,
      { text, written: `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}` },
    ]),
  );
}

function read(given: Given, env: NodeJS.ProcessEnv = {}, more: Partial<SettingsSources> = {}) {
  return readSettings({ flags: flagged(given), env, folder, asked: "now", ...more });
}

function problemsOf(given: Given, env: NodeJS.ProcessEnv = {}, more: Partial<SettingsSources> = {}) {
  try {
    read(given, env, more);
    return [];
  } catch (error) {
    if (error instanceof SettingsError) return error.problems;
    throw error;
  }
}

async function file(content: unknown, mode = 0o600): Promise<string> {
  const path = join(folder, "config.json");
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  await chmod(path, mode);
  return path;
}

describe("precedence", () => {
  test("flags, environment, file, default: each value from the first that names it, and its origin is told", async () => {
    const path = await file({
      orchestrator: { name: "file", project: "/file", client_id: "file", heartbeat_interval: 6000, token },
    });
    const env = { ORCHESTRATOR_PROJECT: "/env", ORCHESTRATOR_CLIENT_ID: "env", ORCHESTRATOR_URL: url };
    const { settings, origins } = read({ clientId: "flag" }, env);
    expect(settings).toEqual({
      mode: "client",
      url,
      token,
      clientId: "flag",
      project: "/env",
      name: "file",
      heartbeatIntervalMs: 6000,
      reconnectIntervalMs: 30_000,
      allowOtherUser: false,
    });
    expect(origins).toMatchObject({
      mode: { kind: "flag", written: "orchestrator connect" },
      clientId: { kind: "flag", written: "--client-id" },
      project: { kind: "environment", written: "ORCHESTRATOR_PROJECT" },
      name: { kind: "file", written: `"orchestrator.name" in ${path}` },
      reconnectIntervalMs: { kind: "default" },
    });
  });

  test("an empty variable is one that is not set", async () => {
    await file({ orchestrator: { url, token } });
    expect(read({}, { ORCHESTRATOR_URL: "", ORCHESTRATOR_TOKEN: "" }).settings).toMatchObject({ url, token });
  });
});

test("what is missing is named, all of it at once", () => {
  const problems = problemsOf({}, {}, { needs: ["url", "token"] });
  expect(problems).toHaveLength(2);
  expect(problems[0]).toMatch(/^--url, ORCHESTRATOR_URL or "orchestrator.url" in .*: is missing/);
});

describe("what a value may be", () => {
  test.each(["https://hub.example.com/", "https://hub.example.com/dashboard?x#y"])(
    "%s is known by its origin",
    (address) => {
      expect(read({ url: address, token }).settings.url).toBe(url);
    },
  );

  test.each([
    "http://hub.localhost:8787",
    "http://localhost:1",
    "http://127.0.0.1:8787",
    "http://[::1]:8787",
  ])("plain http to %s is fine", (address) =>
    expect(read({ url: address, token }).settings.url).toBe(address),
  );

  test.each([
    "http://hub.example.com",
    "http://10.0.0.1",
    "http://127.0.0.1.evil.com",
    "ftp://x",
    "hub",
    "ws://x",
  ])("the hub cannot be %s, and the message says so", (address) => {
    expect(problemsOf({ url: address, token })).toEqual([
      `--url: "${address}" must be https://, or http:// for a hub on this machine, such as https://hub.example.com`,
    ]);
  });

  test.each(["http://127.0.0.1:3001", "http://127.9.9.9:1", "http://localhost:3001/", "http://0x7f.1:80"])(
    "the target can be %s",
    (target) => expect(read({ url, token, target }).settings.target).toBe(new URL(target).origin),
  );

  test.each([
    "http://10.0.0.1:3001",
    "http://example.com",
    "http://localhost.evil.com",
    "http://127.0.0.1.evil.com",
    "http://evil.com#127.0.0.1",
    "http://127.0.0.1@evil.com",
    "http://user@127.0.0.1",
    "https://127.0.0.1:3001",
    "http://0.0.0.0:3001",
    "http://169.254.169.254",
    "http://[::]:3001",
    "//127.0.0.1",
    "127.0.0.1:3001",
    "",
  ])("the target cannot be %j", (target) => {
    expect(problemsOf({ url, token, target })).toEqual([expect.stringMatching(/^--target: /)]);
  });

  test.each<[NodeJS.ProcessEnv, string]>([
    [
      { ORCHESTRATOR_MODE: "clinet" },
      'ORCHESTRATOR_MODE: "clinet" must be "client" (connect to a hub) or "standalone" (do not)',
    ],
    [
      { ORCHESTRATOR_HEARTBEAT_INTERVAL: "30" },
      'ORCHESTRATOR_HEARTBEAT_INTERVAL: "30" must be 5000 to 45000 milliseconds; 30 seconds are 30000',
    ],
    [
      { ORCHESTRATOR_HEARTBEAT_INTERVAL: "60000" },
      'ORCHESTRATOR_HEARTBEAT_INTERVAL: "60000" must be 5000 to 45000 milliseconds',
    ],
    [
      { ORCHESTRATOR_RECONNECT_INTERVAL: "5" },
      'ORCHESTRATOR_RECONNECT_INTERVAL: "5" must be 500 to 300000 milliseconds; 5 seconds are 5000',
    ],
    [
      { ORCHESTRATOR_RECONNECT_INTERVAL: "5s" },
      'ORCHESTRATOR_RECONNECT_INTERVAL: "5s" must be 500 to 300000 milliseconds',
    ],
    [
      { ORCHESTRATOR_RECONNECT_INTERVAL: "1e4" },
      'ORCHESTRATOR_RECONNECT_INTERVAL: "1e4" must be 500 to 300000 milliseconds',
    ],
    [
      { ORCHESTRATOR_CLIENT_ID: "a b" },
      'ORCHESTRATOR_CLIENT_ID: "a b" must be 1 to 128 printable characters without spaces',
    ],
    [{ ORCHESTRATOR_ALLOW_OTHER_USER: "maybe" }, 'ORCHESTRATOR_ALLOW_OTHER_USER: "maybe" must be 1 or 0'],
    [
      { ORCHESTRATOR_GITHUB_ORG: "an org" },
      'ORCHESTRATOR_GITHUB_ORG: "an org" must be the login of a GitHub organisation',
    ],
    [
      { ORCHESTRATOR_GITHUB_USERS: "ada,,grace" },
      'ORCHESTRATOR_GITHUB_USERS: "ada,,grace" must be GitHub logins with commas',
    ],
    [{ ORCHESTRATOR_GITHUB_USERS: "" }, "ORCHESTRATOR_GITHUB_USERS: is empty; it must be GitHub logins"],
    [
      { ORCHESTRATOR_GITHUB_TEAM: "core" },
      'ORCHESTRATOR_GITHUB_TEAM: "core" is a team of which organisation? Write organisation/core',
    ],
    [{ ORCHESTRATOR_GITHUB_TEAM: "a/b/c" }, 'ORCHESTRATOR_GITHUB_TEAM: "a/b/c" must be a team\'s slug'],
    [
      { ORCHESTRATOR_GITHUB_TEAM: "acme/core", ORCHESTRATOR_GITHUB_ORG: "other" },
      'ORCHESTRATOR_GITHUB_TEAM: "acme/core" is not a team of other, which ORCHESTRATOR_GITHUB_ORG names',
    ],
    [
      { ORCHESTRATOR_GITHUB_USER: "ada" },
      "ORCHESTRATOR_GITHUB_USER: is not known; did you mean ORCHESTRATOR_GITHUB_USERS?",
    ],
    [
      { ORCHESTRATOR_NAME: "a".repeat(256) },
      `ORCHESTRATOR_NAME: "${"a".repeat(200)}…" must be 1 to 255 characters`,
    ],
  ])("%j is refused in words that name it", (env, message) => {
    const problems = problemsOf({ url, token }, env);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.slice(0, message.length)).toBe(message);
  });

  test.each<[unknown, string]>([
    [
      { enabled: "yes" },
      '"orchestrator.enabled" in FILE: "yes" must be true (connect to a hub) or false (do not)',
    ],
    [
      { reconnect_interval: "5000" },
      '"orchestrator.reconnect_interval" in FILE: "5000" must be 500 to 300000 milliseconds',
    ],
    [
      { heartbeat_interval: 30 },
      '"orchestrator.heartbeat_interval" in FILE: 30 must be 5000 to 45000 milliseconds; 30 seconds are 30000',
    ],
    [
      { github_users: "ada" },
      '"orchestrator.github_users" in FILE: "ada" must be a list of GitHub logins, each as "login" or "login:id", 1 to 100 of them',
    ],
    [{ github_users: [] }, '"orchestrator.github_users" in FILE: [] must be a list'],
    [
      { github_user: ["ada"] },
      '"orchestrator.github_user" in FILE: is not known; did you mean "github_users"?',
    ],
    [{ colour: 1 }, '"orchestrator.colour" in FILE: is not known; there is: enabled, url, token,'],
    [{ url: null }, '"orchestrator.url" in FILE: null must be https://'],
    [[], 'FILE: "orchestrator" must be an object, { … }'],
    ["on", 'FILE: "orchestrator" must be an object, { … }'],
  ])("the file's %j is refused in words that name it", async (orchestrator, message) => {
    const path = await file({ orchestrator });
    const problems = problemsOf({ url, token });
    expect(problems).toHaveLength(1);
    const expected = message.replace("FILE", path);
    expect(problems[0]?.slice(0, expected.length)).toBe(expected);
  });

  test("all that is wrong is told at once", async () => {
    await file({ orchestrator: { enabled: 1, nmae: "x" } });
    const problems = problemsOf(
      { url: "x" },
      { ORCHESTRATOR_MODE: "x", ORCHESTRATOR_HEARTBEAT_INTERVAL: "1" },
    );
    expect(problems.map((line) => line.split(":")[0])).toEqual([
      "--url",
      "ORCHESTRATOR_MODE",
      "ORCHESTRATOR_HEARTBEAT_INTERVAL",
      expect.stringContaining("orchestrator.nmae"),
      expect.stringContaining("orchestrator.enabled"),
    ]);
  });

  test("what is missing is named, all of it at once, and not told twice", () => {
    const problems = problemsOf({}, {}, { needs: ["url", "token"] });
    expect(problems).toHaveLength(2);
    expect(problems[0]).toMatch(/^--url, ORCHESTRATOR_URL or "orchestrator.url" in .*: is missing/);
    expect(problemsOf({ url: "x" }, {})).toHaveLength(1);
  });
});

describe("secrets", () => {
  const secret = "orc_canary0123456789";

  test.each<[string, Given, NodeJS.ProcessEnv, unknown]>([
    ["with spaces", { token: `${secret} x` }, {}, {}],
    ["as another setting", { url: secret }, {}, {}],
    ["in an address", { url: `http://hub.example.com/?token=${secret}` }, {}, {}],
    ["as a password", { url: `https://me:${secret}@hub.example.com` }, {}, {}],
    ["of another type", {}, {}, { orchestrator: { token: [secret, 1] } }],
    ["in a list", {}, {}, { orchestrator: { github_users: [secret, "a b"] } }],
    ["in a file that is no JSON", {}, {}, `{"orchestrator": {"token": ${secret}}}`],
    ["in a file that ends too early", {}, {}, `{"orchestrator": {"token": "${secret}`],
  ])("a token %s is not in any message", async (_, given, env, content) => {
    await file(content);
    const problems = problemsOf(given, env);
    expect(problems.length).toBeGreaterThan(0);
    expect(problems.join("\n")).not.toContain("canary");
  });

  test.each([
    "hub.example.com/?token=canary",
    "//me:canary@hub.example.com",
    "https:/me:canary@hub.example.com",
    String.raw`https:\\me:canary@hub.example.com`,
    "https://me:p@canary@hub.example.com",
    "https://me:p/canary@hub.example.com",
    "http://hub.example.com#canary",
  ])("what looks like one in %j is not in any message", (text) => {
    for (const name of ["url", "target"]) {
      expect(problemsOf({ [name]: text }).join()).toContain("hub.example.com");
      expect(problemsOf({ [name]: text }).join()).not.toContain("canary");
    }
  });

  test("what is not shown of an address is said", () => {
    expect(problemsOf({ url: "https://me:secret@hub.example.com" })).toEqual([
      '--url: "https://hub.example.com" must be https://, or http:// for a hub on this machine, such as https://hub.example.com, without user and password',
    ]);
  });
});

test("what is nested too deep to be repeated, or too long to be a mistyped word, is told all the same", async () => {
  await file(`{"orchestrator": {"url": ${"[".repeat(100_000)}${"]".repeat(100_000)}}}`);
  expect(problemsOf({})).toEqual([expect.stringMatching(/: what was given must be https/)]);
  await file({ orchestrator: { ["url".repeat(300_000)]: 1 } });
  const began = performance.now();
  expect(problemsOf({ url })).toEqual([expect.stringContaining("there is: enabled")]);
  expect(performance.now() - began).toBeLessThan(500);
});

describe("whom a token is sent to", () => {
  const env = { ORCHESTRATOR_URL: "https://other.example.com", ORCHESTRATOR_TOKEN: token };

  test("a token that stands beside a hub is not sent to another hub", async () => {
    expect(read({ url }, env)).toMatchObject({
      settings: { url },
      warnings: [
        "ORCHESTRATOR_TOKEN: belongs to https://other.example.com and is not sent to https://hub.example.com",
      ],
    });
    expect(read({ url }, env).settings).not.toHaveProperty("token");
    await file({ orchestrator: { url, token: "orch_of_the_file" } });
    expect(read({ url: `${url}/` }, env).settings.token).toBe("orch_of_the_file");
    expect(read({}, env).settings).toMatchObject({ url: "https://other.example.com", token });
  });

  test("one that stands alone goes to the hub in force", () => {
    expect(read({ url }, { ORCHESTRATOR_TOKEN: token }).settings).toMatchObject({ url, token });
    expect(read({ token: "orch_of_the_flag" }, env).settings).toMatchObject({ token: "orch_of_the_flag" });
  });
});

test("a token that is there, but for another hub, is told where a token is needed", () => {
  const env = { ORCHESTRATOR_URL: "https://other.example.com", ORCHESTRATOR_TOKEN: token };
  expect(problemsOf({ url }, env, { needs: ["url", "token"] })).toEqual([
    expect.stringMatching(/^--token, .*: is missing/),
    expect.stringMatching(/^ORCHESTRATOR_TOKEN: belongs to https:\/\/other.example.com/),
  ]);
});

test("a variable that is nearly one of ours is warned of; other programs have theirs", () => {
  const env = {
    ORCHESTRATOR_HEARTBEAT_INTERVALL: "1",
    ORCHESTRATOR_ADMIN_TOKEN: "x",
    ORCHESTRATOR_STATE: "x",
  };
  expect(read({ url, token }, env).warnings).toEqual([
    "ORCHESTRATOR_HEARTBEAT_INTERVALL: is not known; did you mean ORCHESTRATOR_HEARTBEAT_INTERVAL?",
  ]);
});

describe("who may use the instance", () => {
  const access = (given: Given, env: NodeJS.ProcessEnv = {}) =>
    read({ url, token, ...given }, env).settings.access;

  test("users, organisation and team; a team finds its organisation", () => {
    expect(access({})).toBeUndefined();
    expect(access({ users: "Ada, grace:42" })).toEqual({ users: ["Ada", "grace:42"] });
    expect(access({ organization: "acme" })).toEqual({ organization: "acme" });
    expect(access({ organization: "acme", team: "core" })).toEqual({ organization: "acme", team: "core" });
    expect(access({ team: "acme/core", users: "ada" })).toEqual({
      users: ["ada"],
      organization: "acme",
      team: "core",
    });
    expect(access({ team: "Acme/core", organization: "acme" })).toEqual({
      organization: "Acme",
      team: "core",
    });
  });

  test("the list of the first source that has one is taken whole: two lists would let in more than either", async () => {
    await file({ orchestrator: { github_org: "acme", github_users: ["ada"] } });
    expect(access({})).toEqual({ organization: "acme", users: ["ada"] });
    expect(access({}, { ORCHESTRATOR_GITHUB_USERS: "grace" })).toEqual({ users: ["grace"] });
    expect(access({ team: "acme/core" }, { ORCHESTRATOR_GITHUB_USERS: "grace" })).toEqual({
      organization: "acme",
      team: "core",
    });
  });
});

describe("standalone unless asked", () => {
  const mode = (given: Given, env: NodeJS.ProcessEnv, asked?: "now" | "unless_disabled") => {
    const { settings, origins } = readSettings({
      flags: flagged(given),
      env,
      folder,
      ...(asked && { asked }),
    });
    return `${settings.mode}: ${origins.mode?.written}`;
  };

  test("nothing asks", async () => {
    await file({ orchestrator: { url, token } });
    expect(mode({}, { ORCHESTRATOR_TOKEN: token, ORCHESTRATOR_URL: url })).toBe("standalone: default");
  });

  test("environment, file or a flag asks, the first of them decides", async () => {
    expect(mode({}, { ORCHESTRATOR_MODE: "Client", ORCHESTRATOR_URL: url })).toBe(
      "client: ORCHESTRATOR_MODE",
    );
    expect(mode({ url }, { ORCHESTRATOR_MODE: "standalone" })).toBe("client: --url");
    expect(mode({ token }, { ORCHESTRATOR_URL: url })).toBe("client: --token");
    expect(mode({ url, mode: "standalone" }, {})).toBe("standalone: --mode");
    const path = await file({ orchestrator: { enabled: true, url } });
    expect(mode({}, {})).toBe(`client: "orchestrator.enabled" in ${path}`);
    expect(mode({}, { ORCHESTRATOR_MODE: "standalone" })).toBe("standalone: ORCHESTRATOR_MODE");
    await file({ orchestrator: { enabled: false, url } });
    expect(mode({}, { ORCHESTRATOR_MODE: "client" })).toBe("client: ORCHESTRATOR_MODE");
    expect(mode({}, {})).toBe(`standalone: "orchestrator.enabled" in ${path}`);
  });

  test("`orchestrator connect` asks, whatever stands there; a service asks unless told not to", async () => {
    await file({ orchestrator: { enabled: false, url } });
    expect(mode({}, { ORCHESTRATOR_MODE: "standalone" }, "now")).toBe("client: orchestrator connect");
    expect(mode({}, {}, "unless_disabled")).toMatch("standalone");
    await file({ orchestrator: { url } });
    expect(mode({}, {}, "unless_disabled")).toMatch("client");
    expect(mode({}, { ORCHESTRATOR_MODE: "standalone" }, "unless_disabled")).toMatch("standalone");
  });
});

describe("the config file", () => {
  test("is where the folder is, or where a flag or the environment says", async () => {
    const other = join(folder, "other.json");
    await writeFile(other, JSON.stringify({ orchestrator: { url, token } }), { mode: 0o600 });
    expect(read({ config: other }).file).toBe(other);
    expect(read({}, { ORCHESTRATOR_CONFIG: other }).settings).toMatchObject({ url, token });
    const missing = join(folder, "missing.json");
    expect(problemsOf({ url, config: missing })).toEqual([`${missing}: there is no such file`]);
    expect(problemsOf({ url }, { ORCHESTRATOR_CONFIG: missing })).toEqual([
      `${missing}: there is no such file`,
    ]);
  });

  test.each<[string, string, string | RegExp]>([
    [
      "no JSON",
      '{"orchestrator": {\n  "url": "x",\n}}',
      /: is not JSON \(line 3, column 1\); comments and trailing commas are not allowed$/,
    ],
    ["empty", "", /: is not JSON/],
    ["no object", "[]", /: must hold a JSON object/],
    ["null", "null", /: must hold a JSON object/],
    ["with null for a section", '{"orchestrator": null}', /: "orchestrator" must be an object, { … }$/],
    [
      "without the section",
      '{"url": "x"}',
      /: "url" must stand in "orchestrator": {"orchestrator": {"url": …}}$/,
    ],
    [
      "with a misspelt section",
      '{"orchestator": {}}',
      /: "orchestator" is not known; did you mean "orchestrator"\?$/,
    ],
  ])("%s is told", async (_, content, message) => {
    await file(content);
    expect(problemsOf({ url })).toEqual([expect.stringMatching(message)]);
  });

  test("a folder, and what cannot be read, are told", async () => {
    expect(problemsOf({ url, config: folder })).toEqual([`${folder}: is a folder; name the file in it`]);
    expect(problemsOf({ url, config: "/dev/null" })).toEqual(["/dev/null: is not a file"]);
    const loop = join(folder, "loop");
    await symlink(loop, loop);
    expect(problemsOf({ url, config: loop })).toEqual([`${loop}: cannot be read (ELOOP)`]);
  });

  test.runIf(process.getuid?.() !== 0)("a file without the right to read it is told", async () => {
    const path = await file({}, 0o000);
    expect(problemsOf({ url })).toEqual([`${path}: cannot be read (EACCES)`]);
  });

  test("other programs' keys, a byte order mark and $schema are fine", async () => {
    await file(`\uFEFF${JSON.stringify({ $schema: "x", server: { url: 1 }, orchestrator: { url } })}`);
    expect(read({}).settings.url).toBe(url);
  });

  test("others who can read the token, or write the file, are warned of", async () => {
    const path = await file({ orchestrator: { url, token } }, 0o640);
    expect(read({}).warnings).toEqual([
      `${path}: holds a token and can be read by others; chmod 600 "${path}"`,
    ]);
    await file({ orchestrator: { url } }, 0o644);
    expect(read({}).warnings).toEqual([]);
    await file({ orchestrator: { url } }, 0o664);
    expect(read({}).warnings).toEqual([`${path}: can be written by others; chmod 600 "${path}"`]);
  });

  test.runIf(process.getuid?.() === 0)("a file of another user is warned of", async () => {
    const path = await file({ orchestrator: { url } });
    await chown(path, 65_534, 65_534);
    expect(read({}).warnings).toEqual([`${path}: belongs to another user`]);
  });
});

describe("flags of a program that embeds the connector", () => {
  test("are taken from among its own", () => {
    const argv = [
      "serve",
      "--port",
      "1",
      `--orchestrator-url=${url}?a=b`,
      "--orchestrator-token",
      token,
      "--",
      "--orchestrator-x",
    ];
    const { flags, problems } = readHostFlags(argv);
    expect(problems).toEqual([]);
    expect(readSettings({ flags, env: {}, folder }).settings).toMatchObject({ mode: "client", url, token });
  });

  test("that are not known, or without a value, are told", () => {
    expect(
      readHostFlags(["--orchestrator-tokn=x", "--orchestrator-url", "--orchestrator-name"]).problems,
    ).toEqual([
      "--orchestrator-tokn: is not known; did you mean --orchestrator-token?",
      "--orchestrator-url: is without a value",
      "--orchestrator-name: is without a value",
    ]);
  });
});
