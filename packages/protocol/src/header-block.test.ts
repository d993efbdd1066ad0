import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { StreamError } from "./errors.ts";
import {
  decodeRequestHead,
  decodeResponseHead,
  encodeRequestHead,
  encodeResponseHead,
  type HeaderText,
  type RequestHead,
} from "./header-block.ts";
import { LIMITS } from "./limits.ts";
import { anyRequest, anyResponse, anyText, mutated } from "./testing/arbitraries.ts";
import {
  naiveBytes,
  naiveReadRequest,
  naiveReadResponse,
  naiveRequestPayload,
  naiveResponsePayload,
  toHex,
} from "./testing/naive-codec.ts";

const TEXTS: HeaderText[] = ["latin1", "utf-8"];

/** A result, or the code of the `StreamError` in the form of the second codec. */
function attempt<T>(run: () => T): { ok: T } | { error: string } {
  try {
    return { ok: run() };
  } catch (error) {
    if (error instanceof StreamError) return { error: error.code };
    throw error;
  }
}

function lowered<T extends { headers: [string, string][] }>(head: T): T {
  return { ...head, headers: head.headers.map(([name, value]) => [name.toLowerCase(), value]) };
}

describe("both codecs agree", () => {
  test("on every request, and reading it gives it back", () => {
    fc.assert(
      fc.property(anyRequest, (head) => {
        const payload = encodeRequestHead(head, "latin1");
        expect(toHex(payload)).toBe(toHex(naiveRequestPayload(head, "latin1")));
        expect(decodeRequestHead(payload, "latin1")).toEqual(lowered(head));
      }),
    );
  });

  test("on every response, and reading it gives it back", () => {
    fc.assert(
      fc.property(anyResponse, (head) => {
        const payload = encodeResponseHead(head, "latin1");
        expect(toHex(payload)).toBe(toHex(naiveResponsePayload(head, "latin1")));
        expect(decodeResponseHead(payload, "latin1")).toEqual(lowered(head));
      }),
    );
  });

  test.each(TEXTS)("on every mutated request and response, read as %s", (text) => {
    const requests = mutated(anyRequest.map((head) => encodeRequestHead(head, "latin1")));
    fc.assert(
      fc.property(requests, (payload) => {
        const naive = naiveReadRequest(Array.from(payload), text);
        expect(attempt(() => decodeRequestHead(payload, text))).toEqual(naive);
      }),
      { numRuns: 300 },
    );
    const responses = mutated(anyResponse.map((head) => encodeResponseHead(head, "latin1")));
    fc.assert(
      fc.property(responses, (payload) => {
        const naive = naiveReadResponse(Array.from(payload), text);
        expect(attempt(() => decodeResponseHead(payload, text))).toEqual(naive);
      }),
      { numRuns: 300 },
    );
  });

  test.each(TEXTS)("on every string of bytes, read as %s", (text) => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (payload) => {
        const bytes = Array.from(payload);
        expect(attempt(() => decodeRequestHead(payload, text))).toEqual(naiveReadRequest(bytes, text));
        expect(attempt(() => decodeResponseHead(payload, text))).toEqual(naiveReadResponse(bytes, text));
      }),
      { numRuns: 500 },
    );
  });
});

describe("CR, LF and NUL are nowhere", () => {
  const forbidden = fc.constantFrom("\r", "\n", "\0", "\r\n");
  /** A head with the forbidden text somewhere in one of its texts. */
  const poisoned = fc
    .tuple(anyRequest, forbidden, fc.constantFrom("method", "target", "name", "value"), fc.nat())
    .map(([head, poison, place, at]) => poisonedHead(head, { poison, place, at }));

  test.each(TEXTS)("a writer of %s refuses them", (text) => {
    fc.assert(
      fc.property(poisoned, (head) => {
        expect(attempt(() => encodeRequestHead(head, text))).toEqual({ error: "protocol_error" });
      }),
    );
  });

  test.each(TEXTS)("a reader of %s refuses them from a writer that does not", (text) => {
    fc.assert(
      fc.property(poisoned, (head) => {
        const payload = Uint8Array.from(naiveRequestPayload(head, text));
        expect(attempt(() => decodeRequestHead(payload, text))).toEqual({ error: "protocol_error" });
      }),
    );
  });

  test("they cannot hide in characters beyond one byte", () => {
    const head: RequestHead = {
      kind: "http",
      method: "GET",
      target: "/",
      headers: [["a", "\u010a\u010d\u0100"]],
    };
    expect(attempt(() => encodeRequestHead(head, "latin1"))).toEqual({ error: "protocol_error" });
    const bytes = encodeRequestHead(head, "utf-8");
    expect(Array.from(bytes.subarray(8)).filter((byte) => byte === 10 || byte === 13)).toEqual([]);
  });
});

function poisonedHead(
  head: RequestHead,
  { poison, place, at }: { poison: string; place: string; at: number },
) {
  const into = (value: string) =>
    value.slice(0, at % (value.length + 1)) + poison + value.slice(at % (value.length + 1));
  const [[name, value] = ["x", "y"], ...rest] = head.headers;
  switch (place) {
    case "method":
      return { ...head, method: into(head.method) };
    case "target":
      return { ...head, target: into(head.target) };
    case "name":
      return { ...head, headers: [[into(name), value], ...rest] as [string, string][] };
    default:
      return { ...head, headers: [[name, into(value)], ...rest] as [string, string][] };
  }
}

describe("what is legal", () => {
  test.each(["//evil", "/@evil", "/\\evil", "/%2f%2fevil"])("the target %s is a path", (target) => {
    const head: RequestHead = { kind: "http", method: "GET", target, headers: [] };
    expect(decodeRequestHead(encodeRequestHead(head, "utf-8"), "latin1").target).toBe(target);
  });

  test.each(["", "evil", "*", "http://evil/", "@evil", "\\evil", "/a b", "/\u00e9", "/\x7f", "/\t"])(
    "the target %j is not",
    (target) => {
      const head: RequestHead = { kind: "http", method: "GET", target, headers: [] };
      expect(attempt(() => encodeRequestHead(head, "utf-8"))).toEqual({ error: "protocol_error" });
    },
  );

  test.each(["", "GET ", "G\u00c9T", "a:b", "(x)"])("the method %j is not", (method) => {
    const head: RequestHead = { kind: "http", method, target: "/", headers: [] };
    expect(attempt(() => encodeRequestHead(head, "utf-8"))).toEqual({ error: "protocol_error" });
  });

  test.each([0, 99, 100, 102, 103, 199, 600, 1000, -1, 65_736, Number.NaN, 200.5, Number.POSITIVE_INFINITY])(
    "the status %d is not",
    (status) => {
      const head = { status, headers: [] };
      expect(attempt(() => encodeResponseHead(head, "latin1"))).toEqual({ error: "protocol_error" });
    },
  );

  test("names are written and read in lower case", () => {
    const head: RequestHead = { kind: "http", method: "GET", target: "/", headers: [["X-UPPER", "V"]] };
    expect(decodeRequestHead(encodeRequestHead(head, "latin1"), "latin1").headers).toEqual([
      ["x-upper", "V"],
    ]);
  });
});

describe("bytes pass unchanged", () => {
  test("text of the hub arrives as its bytes and comes back as the same text", () => {
    fc.assert(
      fc.property(anyText(30), (text) => {
        const value = text.replaceAll(/[\0\r\n]/g, "");
        const sent = encodeResponseHead({ status: 200, headers: [["a", value]] }, "utf-8");
        const atConnector = decodeResponseHead(sent, "latin1").headers[0]?.[1] ?? "";
        expect(naiveBytes(atConnector, "latin1")).toEqual(Array.from(new TextEncoder().encode(value)));
        const back = encodeResponseHead({ status: 200, headers: [["a", atConnector]] }, "latin1");
        expect(toHex(back)).toBe(toHex(sent));
        expect(decodeResponseHead(back, "utf-8").headers).toEqual([
          ["a", new TextDecoder("utf-8", { ignoreBOM: true }).decode(new TextEncoder().encode(value))],
        ]);
      }),
    );
  });
});

test("every byte that may stand in a value is itself, and no other may stand there", () => {
  for (let byte = 0; byte < 256; byte++) {
    const payload = Uint8Array.from(
      naiveResponsePayload({ status: 200, headers: [["a", `x${String.fromCharCode(byte)}y`]] }, "latin1"),
    );
    const naive = naiveReadResponse(Array.from(payload), "latin1");
    expect(attempt(() => decodeResponseHead(payload, "latin1"))).toEqual(naive);
    if (!("ok" in naive)) continue;
    expect(toHex(encodeResponseHead(naive.ok, "latin1"))).toBe(toHex(payload));
  }
});

describe("sizes", () => {
  /** A response whose block is exactly this long. */
  const ofSize = (bytes: number) => ({
    status: 200,
    headers: [["a", "v".repeat(bytes - 9)]] as [string, string][],
  });

  test("a block of 65,536 bytes fits one frame, one more does not", () => {
    expect(encodeResponseHead(ofSize(LIMITS.headerBlockBytes), "latin1")).toHaveLength(65_536);
    expect(attempt(() => encodeResponseHead(ofSize(LIMITS.headerBlockBytes + 1), "latin1"))).toEqual({
      error: "too_large",
    });
  });

  test("what is counted is bytes, not characters", () => {
    const head = { status: 200, headers: [["a", "\u00e9".repeat(33_000)]] as [string, string][] };
    expect(attempt(() => encodeResponseHead(head, "latin1"))).toHaveProperty("ok");
    expect(attempt(() => encodeResponseHead(head, "utf-8"))).toEqual({ error: "too_large" });
  });

  test("as many fields as fit", () => {
    const headers = Array.from({ length: 13_106 }, () => ["a", ""] as [string, string]);
    const payload = encodeResponseHead({ status: 200, headers }, "latin1");
    expect(decodeResponseHead(payload, "utf-8").headers).toHaveLength(13_106);
    headers.push(["a", ""]);
    expect(attempt(() => encodeResponseHead({ status: 200, headers }, "latin1"))).toEqual({
      error: "too_large",
    });
    const many = Array.from({ length: 65_537 }, () => ["a", ""] as [string, string]);
    expect(attempt(() => encodeResponseHead({ status: 200, headers: many }, "latin1"))).toEqual({
      error: "too_large",
    });
  });
});
