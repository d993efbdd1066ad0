import { encodeControl, LIMITS, parseConnectorMessage, TEXT_LIMITS } from "@ai-orchestrator/protocol";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { AnswerLimit, RecentLog } from "./log.ts";

describe("the recent log", () => {
  test("keeps the last 200 lines of 300 characters", () => {
    const log = new RecentLog([]);
    for (let count = 0; count < 1000; count++) log.add(count, "info", `${count} ${"x".repeat(400)}`);
    expect(log.lines()).toHaveLength(TEXT_LIMITS.logLines);
    expect(log.lines()[0]?.text).toMatch(/^800 x+$/);
    for (const { text } of log.lines()) expect(text).toHaveLength(TEXT_LIMITS.logLine);
  });

  test("is at most 64 KiB long, whatever it is written in, so a message of it is far below its limit", () => {
    for (const character of ["x", "\u20ac", "\u{1F600}", '"', "\\", "\u0000", "\uD800"]) {
      const log = new RecentLog([]);
      for (let count = 0; count < 300; count++) log.add(count, "warning", character.repeat(300));
      const text = encodeControl({ type: "log", id: 0xffff_ffff, lines: log.lines() });
      expect(parseConnectorMessage(text)).toMatchObject({ type: "log" });
      expect(Buffer.byteLength(text)).toBeLessThan(LIMITS.controlBytes / 4);
      expect(log.lines().at(-1)?.at).toBe(299);
    }
  });

  test("is what the protocol takes, whatever is said", () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.string({ unit: "binary", maxLength: 500 }), fc.double({ noNaN: true }))),
        (said) => {
          const log = new RecentLog([]);
          for (const [text, at] of said) log.add(Math.min(at, 1e15), "error", text);
          const lines = log.lines();
          expect(parseConnectorMessage(encodeControl({ type: "log", id: 1, lines }))).toEqual({
            type: "log",
            id: 1,
            lines,
          });
        },
      ),
    );
  });

  test("gives out copies", () => {
    const log = new RecentLog([]);
    log.add(1, "info", "one");
    for (const line of log.lines()) line.text = "changed";
    expect(log.lines()).toEqual([{ at: 1, level: "info", text: "one" }]);
  });

  test.each([
    ["refused orch_canary for good", "refused … for good"],
    ["no orc_abc-DEF_1 here", "no orc_… here"],
    ["Authorization: Bearer abc.def==", "Authorization: Bearer …"],
    ["sent eyJhbGciOi.eyJzdWIi.sig-nature to it", "sent eyJ… to it"],
    ["Cookie: a=1; b=2", "Cookie: …"],
    ["set-cookie: sid=1; Path=/", "set-cookie: …"],
    ["GET http://127.0.0.1:3001/ws?token=abc&x=1 failed", "GET http://127.0.0.1:3001/ws failed"],
    ["wss://hub.example.com/ws/connect?client_id=me#part", "wss://hub.example.com/ws/connect"],
    ["proxy http://ada:secret@proxy.example:8080 failed", "proxy http://proxy.example:8080 failed"],
    ["two\nlines \u001B[31mred\u2028", "two lines  [31mred "],
  ])("%j becomes %j", (said, kept) => {
    const log = new RecentLog(["orch_canary", ""]);
    expect(log.add(1, "info", said).text).toBe(kept);
  });
});

test("five answers a second, however often it is asked, and five in the next", () => {
  const limit = new AnswerLimit();
  const allowed = Array.from({ length: 3000 }, (_, ms) => limit.isAllowed(ms)).filter(Boolean);
  expect(allowed).toHaveLength(15);
});
