/** A condition is said once, whatever comes between, and rarely that it still lasts. */
import { beforeEach, describe, expect, test } from "vitest";
import { Narrator } from "./narrator.ts";
import { type HandClocks, handClocks } from "./testing/clocks.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const URL_OF_IT = "http://here.hub.localhost:1";

let clocks: HandClocks;
let narrator: Narrator;
let lines: string[];

beforeEach(() => {
  clocks = handClocks();
  narrator = new Narrator(clocks);
  lines = [];
});

const keep = (said: { text: string } | undefined) => said && lines.push(said.text);
const lose = (message: string, retryMs = 2_000) =>
  keep(narrator.disconnected("unreachable", message, retryMs));
const connect = () => keep(narrator.connected(URL_OF_IT, undefined));
const pass = (ms: number) => {
  clocks.pass(ms);
  keep(narrator.look());
};

describe("a hub that cannot be reached", () => {
  test("for a day is one line, and one more each hour, with since when and how many attempts", () => {
    const attempts = 24 * 60 * 4;
    for (let count = 0; count < attempts; count++) {
      lose("Nothing answers there.");
      pass(15_000);
    }
    expect(lines).toHaveLength(24);
    expect(lines[0]).toBe("No connection: Nothing answers there. Trying again in 2 s, and until it works.");
    expect(lines[1]).toBe(
      "No connection for 60 min, since 2026-09-21 14:13 UTC, after 241 attempts: Nothing answers there. It goes on trying.",
    );
    expect(lines[23]).toContain("No connection for 23 h, since 2026-09-21 14:13 UTC, after 5521 attempts: ");
    connect();
    expect(lines[24]).toBe(`Connected: ${URL_OF_IT}`);
  });

  test("in two or three ways by turns is a line for each", () => {
    for (let count = 0; count < 200; count++) {
      lose(
        ["nothing answers there", "it did not answer in 10 s", "Too many, ask again in 17 s."][count % 3] ??
          "",
      );
      pass(10_000);
    }
    expect(lines.map((line) => line.split(". ")[0])).toEqual([
      "No connection: nothing answers there",
      "No connection: it did not answer in 10 s",
      "No connection: Too many, ask again in 17 s",
    ]);
  });

  test("with words that are never the same is a few lines, and the reminder", () => {
    for (let count = 0; count < 400; count++) {
      lose(`Error ${String.fromCodePoint(0x4e00 + count)} ${count}`);
      pass(10_000);
    }
    expect(lines).toHaveLength(6);
    expect(lines[5]).toMatch(
      /^No connection for 61 min, since .* attempts: Error . \d+\. It goes on trying\.$/,
    );
  });
});

describe("a connection that is made and lost again and again", () => {
  function flap(times: number, lastsMs: number) {
    for (let count = 0; count < times; count++) {
      lose("closed with 1011");
      pass(1_000);
      connect();
      pass(lastsMs);
    }
  }

  test.each([
    ["at once", 10],
    ["because heartbeats are not answered in time", 40_000],
  ])("%s is said once", (_why, lastsMs) => {
    connect();
    pass(HOUR);
    flap(50, lastsMs);
    expect(lines).toEqual([
      `Connected: ${URL_OF_IT}`,
      "Connection lost: closed with 1011. Trying again in 2 s, and until it works.",
      `Connected again: ${URL_OF_IT}`,
      "The connection does not last: closed with 1011. It is made again each time; the next line comes when it lasts 5 min.",
    ]);
    pass(5 * MINUTE);
    expect(lines.slice(4)).toEqual([`Connected again: ${URL_OF_IT}`]);
    lose("closed with 1011");
    expect(lines.at(-1)).toBe("Connection lost: closed with 1011. Trying again in 2 s, and until it works.");
  });

  test("all day is said each hour", () => {
    connect();
    flap(24 * 60, MINUTE - 1_000);
    expect(lines.filter((line) => line.startsWith("No connection that lasts for "))).toHaveLength(23);
    expect(lines).toHaveLength(4 + 23);
  });

  test("now and then is said each time", () => {
    connect();
    for (let count = 0; count < 3; count++) {
      pass(6 * MINUTE);
      lose("the connection broke");
      connect();
    }
    expect(lines).toHaveLength(1 + 3 * 2);
  });

  test("nobody looked, and it lasted all the same", () => {
    connect();
    lose("x");
    connect();
    clocks.pass(HOUR);
    lose("x");
    expect(lines.at(-1)).toMatch(/^Connection lost: x\./);
  });
});

test("who was sent away and let back begins anew", () => {
  lose("nothing answers there");
  keep(narrator.sentAway());
  connect();
  lose("nothing answers there");
  expect(lines.map((line) => line.split(/[:.]/)[0])).toEqual([
    "No connection",
    "Sent away by its owner",
    "Let back",
    "Connection lost",
  ]);
});

test("a clock that is set back makes no time before the beginning", () => {
  lose("x");
  clocks.set(-10 * HOUR);
  pass(HOUR);
  lose("x");
  expect(lines[1]).toContain("No connection for 0 s, since ");
});

test("that its owner has too many instances is said with what to do", () => {
  const { kind, level, text } = narrator.stopped("too_many_instances", "Its owner has 2000 instances.");
  expect([kind, level]).toEqual(["stopped", "error"]);
  expect(text).toBe(
    "Stopped by the hub: Its owner has 2000 instances. Disconnect and forget some on the hub's dashboard that are not needed, then start again; one that starts with a new --client-id each time takes a new place each time.",
  );
});
