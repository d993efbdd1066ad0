import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { ConnectionError } from "./errors.ts";
import { specRows } from "./testing/spec-tables.ts";
import {
  encodePairing,
  PAIRING,
  PAIRING_SECRET,
  pairingCodeOf,
  pairingFingerprint,
  parsePairingCode,
  parsePairingMessage,
  parsePendingMessage,
} from "./pairing.ts";

const sha256 = async (text: string) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));

describe("a code", () => {
  test("is read in any case, with or without its hyphen, with spaces", () => {
    const typed = ["WDJB-MJHT", "wdjbmjht", " wdjb mjht ", "W D J B – M J H T", "wDjB—mJhT\n"];
    expect(typed.map(parsePairingCode)).toEqual(typed.map(() => "WDJB-MJHT"));
  });

  test("is 8 letters of its alphabet and nothing else", () => {
    const wrong = [
      "",
      "WDJB-MJH",
      "WDJB-MJHTT",
      "WDJB-MJHA",
      "WDJB-MJH1",
      "WDJB_MJHT",
      "ẂDJB-MJHT",
      "<DJB-MJHT",
    ];
    expect(wrong.map(parsePairingCode)).toEqual(wrong.map(() => undefined));
  });

  test("of any bytes is one that is read as itself", () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 8, maxLength: 32 }), (bytes) => {
        const code = pairingCodeOf(bytes);
        expect(parsePairingCode(code.toLowerCase())).toBe(code);
      }),
    );
  });

  test("has all its letters equally often", async () => {
    const counts = new Map<string, number>();
    for (let index = 0; index < 4000; index++) {
      const bytes = await sha256(String(index));
      for (const letter of pairingCodeOf(bytes).replace("-", ""))
        counts.set(letter, (counts.get(letter) ?? 0) + 1);
    }
    expect([...counts.keys()].sort().join("")).toBe(PAIRING.alphabet);
    for (const count of counts.values()) expect(Math.abs(count - 1600)).toBeLessThan(250);
  });
});

test("a fingerprint is 64 bits of a hash, and not of the one that is stored", async () => {
  const secret = "A".repeat(43);
  const digest = await sha256(`orchestrator-pairing:${secret}`);
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const shown = [0, 4, 8, 12].map((at) => hex.slice(at, at + 4)).join(" ");
  expect(await pairingFingerprint(secret)).toBe(shown);
});

test("the specification names these messages, and the numbers that are here", () => {
  const rows = specRows(11);
  const messages = rows.slice(0, 6).map(([name]) => name?.replaceAll("`", ""));
  expect(messages).toEqual([
    "pending_register",
    "pending_registered",
    "token_granted",
    "token_received",
    "authorization_denied",
    "authorization_timeout",
  ]);
  const values = new Map(rows.slice(6).map(([what = "", value = ""]) => [what, value]));
  expect(values.get("to approve")).toBe(`${PAIRING.lifetimeSeconds} s`);
  expect(values.get("message")).toBe(`${PAIRING.messageLength / 1024} Ki characters`);
  expect(PAIRING_SECRET.test("A".repeat(Number.parseInt(values.get("secret") ?? "")))).toBe(true);
});

describe("messages", () => {
  const register = {
    type: "pending_register",
    hostname: "h",
    project: "/p",
    platform: "linux",
    client_id: "c-1",
    software: { name: "s", version: "1" },
  } as const;

  test("are read as they were written", () => {
    for (const message of [register, { type: "token_received" }] as const)
      expect(parsePendingMessage(encodePairing(message))).toEqual(message);
    for (const message of [
      {
        type: "pending_registered",
        success: true,
        code: "WDJB-MJHT",
        url: "https://hub.example.com/pair?code=WDJB-MJHT",
        fingerprint: "3f2a 91bc 07de 55aa",
        expires_in: 600,
      },
      { type: "token_granted", token: "orc_x", client_id: "c-1", user: "ann" },
      { type: "authorization_denied", reason: "no" },
      { type: "authorization_timeout", message: "too late" },
    ] as const)
      expect(parsePairingMessage(encodePairing(message))).toEqual(message);
  });

  test("of a later version are passed over", () => {
    expect([parsePendingMessage('{"type":"later"}'), parsePairingMessage('{"type":"later"}')]).toEqual([
      null,
      null,
    ]);
  });

  test.each([
    ["no JSON", "{"],
    ["no type", "{}"],
    ["no object", "null"],
    ["a long host name", JSON.stringify({ ...register, hostname: "x".repeat(256) })],
    ["a client id with a space", JSON.stringify({ ...register, client_id: "a b" })],
    ["a missing project", JSON.stringify({ ...register, project: undefined })],
    ["a message that is too long", JSON.stringify({ ...register, more: "x".repeat(PAIRING.messageLength) })],
  ])("with %s are refused by a ConnectionError", (_what, data) => {
    expect(() => parsePendingMessage(data)).toThrow(ConnectionError);
  });

  test("nothing but a ConnectionError is ever thrown", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (data) => {
        for (const parse of [parsePendingMessage, parsePairingMessage])
          try {
            parse(data);
          } catch (error) {
            expect(error).toBeInstanceOf(ConnectionError);
          }
      }),
    );
  });
});
