import { afterEach, expect, test, vi } from "vitest";
import { createInstanceToken } from "./auth/token.ts";
import { errorName, log } from "./log.ts";
import { randomSecret, sha256 } from "./secrets.ts";

type Level = "info" | "warn" | "error";
const told = new Map<Level, string[]>();
for (const level of ["info", "warn", "error"] as const) told.set(level, []);

function listen(): void {
  for (const [level, lines] of told) {
    lines.length = 0;
    vi.spyOn(console, level).mockImplementation((...values: unknown[]) => {
      lines.push(values.map((value) => String(value)).join(" "));
    });
  }
}

afterEach(() => vi.restoreAllMocks());

test("an event is one line of JSON on the console of its level", () => {
  listen();
  log("sign_in", { userId: "github:5", reason: null });
  log("rate_limited", { kind: "bad-token", count: 3 });
  log("unhandled_error", { method: "GET", route: "/clients/:id", stack: "Error: no\n    at a.ts:5" });
  log("session_ended");
  expect(told).toEqual(
    new Map([
      [
        "info",
        [
          '{"event":"sign_in","level":"info","userId":"github:5","reason":null}',
          '{"event":"session_ended","level":"info"}',
        ],
      ],
      ["warn", ['{"event":"rate_limited","level":"warning","kind":"bad-token","count":3}']],
      [
        "error",
        [
          String.raw`{"event":"unhandled_error","level":"error","method":"GET","route":"/clients/:id","stack":"Error: no\n    at a.ts:5"}`,
        ],
      ],
    ]),
  );
});

test("whatever an error quotes, no secret gets in, as it travels or as it is kept", async () => {
  listen();
  const token = await createInstanceToken();
  const code = randomSecret();
  const secrets = [token, code, await sha256(token), `${randomSecret()}.${randomSecret()}`];
  for (const secret of secrets) {
    const error = new Error(`Fetch failed: https://hub.example/auth/local?code=x&y=${secret} (${secret})`);
    log("look_failed", { label: "laptop-abcdefghij", error });
    log("unhandled_error", { stack: `Error: ${secret}\n at https://hub.example/x?token=short-one` });
    log("misconfigured", { problem: `HUB_SECRET is ${secret}`, reason: secret });
    log("look_failed", { error: secret });
    log("look_failed", { error: { secret } });
  }
  const lines = [...told.values()].flat();
  expect(lines).toHaveLength(secrets.length * 5);
  for (const secret of secrets.flatMap((one) => one.split(".")))
    expect(lines.filter((line) => line.includes(secret))).toEqual([]);
  expect(lines.filter((line) => line.includes("short-one"))).toEqual([]);
  for (const line of lines) expect(() => JSON.parse(line) as unknown).not.toThrow();
  expect(lines[0]).toContain("Error: Fetch failed: https://hub.example/auth/local?…");
});

test("a label is written whole, however long; what is not said has no field", () => {
  listen();
  const label = `${"a".repeat(40)}-abcdefghij`;
  log("instance_gone", { userId: "local", label, reason: "stopped", stack: undefined });
  expect(told.get("info")).toEqual([
    `{"event":"instance_gone","level":"info","userId":"local","label":"${label}","reason":"stopped"}`,
  ]);
});

test("what was thrown has a name", () => {
  expect(errorName(new TypeError("x"))).toBe("TypeError");
  expect(errorName("x")).toBe("string");
});
