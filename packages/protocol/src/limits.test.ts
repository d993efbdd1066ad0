import { describe, expect, test } from "vitest";
import { DEFAULT_PEER_LIMITS, LIMITS, TEXT_LIMITS } from "./limits.ts";
import { specRows } from "./testing/spec-tables.ts";

const stated = new Map(specRows(9).map(([what = "", value = ""]) => [what, value]));

/** The number at the beginning of a cell, in bytes, seconds or pieces. */
function numberIn(cell: string | undefined): number {
  const match = /^(?:every )?(?<number>2\^31-1|[\d,]+) ?(?<unit>KiB|MiB)?/.exec(cell ?? "");
  const { number = "", unit } = match?.groups ?? {};
  if (number === "2^31-1") return 2 ** 31 - 1;
  const factor = unit === "KiB" ? 1024 : unit === "MiB" ? 1024 ** 2 : 1;
  return Number(number.replaceAll(",", "")) * factor;
}

describe("the table of SPEC.md, section 9, and limits.ts say the same", () => {
  const pairs: [string, number][] = [
    ["frame payload", LIMITS.framePayloadBytes],
    ["binary message", LIMITS.messageBytes],
    ["control message", LIMITS.controlBytes],
    ["header block", LIMITS.headerBlockBytes],
    ["default stream window", LIMITS.streamWindowBytes],
    ["grown window", LIMITS.grownWindowBytes],
    ["growth of all windows", LIMITS.windowGrowthBytes],
    ["held by a connection", LIMITS.connectionHeldBytes],
    ["window, ever", LIMITS.maxWindowBytes],
    ["streams at once", LIMITS.maxStreams],
    ["WebSocket message", LIMITS.webSocketMessageBytes],
    ["reason", LIMITS.reasonBytes],
    ["to register", LIMITS.registerTimeoutSeconds],
    ["heartbeat", LIMITS.heartbeatIntervalSeconds],
  ];

  const ofTexts: [string, number][] = [
    ["lines of a log", TEXT_LIMITS.logLines],
    ["line of a log", TEXT_LIMITS.logLine],
  ];

  test.each([...pairs, ...ofTexts])("%s", (what, limit) => {
    expect(numberIn(stated.get(what))).toBe(limit);
  });

  test("answer to a heartbeat", () => {
    const seconds = /answer within (?<seconds>\d+) s/.exec(stated.get("heartbeat") ?? "")?.groups?.[
      "seconds"
    ];
    expect(Number(seconds)).toBe(LIMITS.heartbeatTimeoutSeconds);
  });

  test("and neither has a limit that the other has not", () => {
    const known = [...pairs, ...ofTexts].map(([what]) => what);
    expect(new Set(stated.keys())).toEqual(new Set(known));
    expect(Object.keys(LIMITS)).toHaveLength(pairs.length + 1);
  });
});

describe("limits fit together", () => {
  test("a header block fits a frame, a frame fits a message, a window fits what may be granted", () => {
    expect(LIMITS.headerBlockBytes).toBeLessThanOrEqual(LIMITS.framePayloadBytes);
    expect(LIMITS.framePayloadBytes).toBeLessThan(LIMITS.messageBytes);
    expect(LIMITS.streamWindowBytes).toBeLessThan(LIMITS.maxWindowBytes);
    expect(LIMITS.framePayloadBytes).toBeLessThan(2 ** 24);
  });

  test("what is told to a peer are the limits", () => {
    expect(DEFAULT_PEER_LIMITS).toEqual({
      stream_window: LIMITS.streamWindowBytes,
      max_streams: LIMITS.maxStreams,
      max_websocket_message: LIMITS.webSocketMessageBytes,
    });
  });
});
