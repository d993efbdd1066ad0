import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  encodeControl,
  HEARTBEAT_PING,
  HEARTBEAT_PONG,
  parseConnectorMessage,
  parseHubMessage,
  PROTOCOL_VERSION,
  SUBPROTOCOL,
  type ConnectorMessage,
  type HubMessage,
} from "./control.ts";
import { CONNECTION_ERRORS, ConnectionError } from "./errors.ts";
import { DEFAULT_PEER_LIMITS, LIMITS, TEXT_LIMITS } from "./limits.ts";
import { specRows } from "./testing/spec-tables.ts";

const software = { name: "cli", version: "1.0.0" };
const session = {
  id: "abc",
  title: "Fix it",
  project: "/home/a",
  state: "working",
  since: 1_700_000_000_000,
} as const;

const fromConnector = {
  register: {
    type: "register",
    protocol: 2,
    client_id: "laptop-1",
    software,
    metadata: { hostname: "laptop", project: "/home/a", platform: "linux", upstream: software },
    capabilities: ["a"],
    limits: DEFAULT_PEER_LIMITS,
    status: "busy",
    sessions: [session],
    absence: { cause: "asleep", since: 1_700_000_000_000, until: 1_700_000_600_000 },
    access: { users: ["ann", "bea:7"], organization: "acme", team: "core" },
  },
  command_done: { type: "command_done", id: 4_294_967_295 },
  log: {
    type: "log",
    id: 7,
    lines: [
      { at: 1_700_000_000_000, level: "info", text: "Connected" },
      { at: 1_700_000_000_001, level: "error", text: "" },
    ],
  },
  status_update: { type: "status_update", status: "idle", sessions: [] },
  go_away: { type: "go_away", code: "disconnected", message: "stopped" },
} satisfies Record<string, ConnectorMessage>;

const fromHub = {
  registered: {
    type: "registered",
    success: true,
    protocol: 2,
    software,
    limits: DEFAULT_PEER_LIMITS,
    instance: { label: "laptop-1a2b", url: "https://laptop-1a2b.hub.example" },
  },
  command: { type: "command", command: "refresh_status", id: 0 },
  log_request: { type: "log_request", id: 7 },
  go_away: { type: "go_away", code: "replaced", message: "" },
} satisfies Record<string, HubMessage>;

const everything = [
  ...Object.values(fromConnector).map((message) => ({ message, parse: parseConnectorMessage })),
  ...Object.values(fromHub).map((message) => ({ message, parse: parseHubMessage })),
];

function failure(run: () => unknown): ConnectionError {
  try {
    run();
  } catch (error) {
    if (error instanceof ConnectionError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

/** A copy with a field of a later version in each object. */
function withMore(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withMore);
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([key, inner]) => [key, withMore(inner)] as const);
  return { ...Object.fromEntries(fields), later: { version: [1] } };
}

describe("every message", () => {
  test.each(everything)("$message.type comes back as it was", ({ message, parse }) => {
    expect(parse(encodeControl(message))).toEqual(message);
  });

  test.each(everything)("$message.type: unknown fields are ignored, at any depth", ({ message, parse }) => {
    const text = JSON.stringify(withMore(message));
    expect(text).toContain("later");
    expect(parse(text)).toEqual(message);
  });

  test("is the ones of SPEC.md, section 2, from whom it says", () => {
    const rows = specRows(2).map(([message, from]) => [message, from]);
    expect(rows).toEqual([
      ["register", "connector"],
      ["registered", "hub"],
      ["status_update", "connector"],
      ["command", "hub"],
      ["command_done", "connector"],
      ["log_request", "hub"],
      ["log", "connector"],
      ["go_away", "either"],
    ]);
  });

  test("go_away: every code of the table", () => {
    for (const code of Object.keys(CONNECTION_ERRORS)) {
      expect(parseHubMessage(JSON.stringify({ type: "go_away", code, message: "" }))).toMatchObject({ code });
    }
  });

  test("optional fields may be missing", () => {
    const { upstream: _upstream, ...metadata } = fromConnector.register.metadata;
    const { title: _title, ...untitled } = session;
    const { absence: _absence, access: _access, ...register } = fromConnector.register;
    for (const more of [{}, { access: {} }]) {
      const message = { ...register, metadata, sessions: [untitled], ...more };
      expect(parseConnectorMessage(JSON.stringify(message))).toEqual(message);
    }
    expect(parseHubMessage('{"type":"command","command":"disconnect"}')).not.toHaveProperty("id");
  });
});

describe("unknown types are ignored", () => {
  test.each(["later", "", "__proto__", "constructor", "toString", "Register"])("%j", (type) => {
    const text = JSON.stringify({ type, any: 1 });
    expect([parseConnectorMessage(text), parseHubMessage(text)]).toEqual([null, null]);
  });

  test("and so are the other side's", () => {
    expect(parseConnectorMessage(encodeControl(fromHub.registered))).toBeNull();
    expect(parseHubMessage(encodeControl(fromConnector.register))).toBeNull();
  });
});

describe("no message at all is bad_message", () => {
  test.each([
    "",
    "{",
    "null",
    "1",
    '"register"',
    "[]",
    "{}",
    '{"type":1}',
    '{"type":null}',
    '[{"type":"register"}]',
    HEARTBEAT_PING,
    HEARTBEAT_PONG,
  ])("%j", (text) => {
    expect(failure(() => parseConnectorMessage(text)).code).toBe("bad_message");
    expect(failure(() => parseHubMessage(text)).code).toBe("bad_message");
  });
});

/** Every field of a message, as the path to it. */
function paths(value: unknown, before: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => {
    const path = [...before, Array.isArray(value) ? Number(key) : key];
    return [path, ...paths(inner, path)];
  });
}

/** A copy with one field replaced. */
function replaced(message: unknown, path: (string | number)[], value: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return value;
  const copy = (Array.isArray(message) ? [...(message as unknown[])] : { ...(message as object) }) as Record<
    string | number,
    unknown
  >;
  copy[key] = replaced(copy[key], rest, value);
  return copy;
}

const optional = new Set([
  "metadata.upstream",
  "sessions.0.title",
  "absence",
  "access",
  "access.users",
  "access.organization",
  "access.team",
]);
const everyField = everything.flatMap(({ message, parse }) =>
  paths(message)
    .filter(([first]) => first !== "type")
    .map((path) => ({ message, parse, path, name: path.join(".") })),
);

describe("each malformed field is refused by its name", () => {
  test.each(everyField)("$message.type: $name", ({ message, parse, path, name }) => {
    const wrong: unknown[] = [null, path.includes("success") ? false : true];
    // A list of nothing that is known here is one that lets nobody in.
    if (name !== "access") wrong.push({ not: "this" });
    const isOptional = optional.has(name) || (message.type === "command" && name === "id");
    if (!isOptional && typeof path.at(-1) === "string") wrong.push(undefined);
    for (const value of wrong) {
      const error = failure(() => parse(JSON.stringify(replaced(message, path, value))));
      expect(error.code).toBe("bad_message");
      expect(error.message).toContain(message.type);
      expect(error.message).toContain(name);
    }
  });

  const outside: [string, unknown][] = [
    ["protocol", 0],
    ["protocol", 1.5],
    ["client_id", ""],
    ["client_id", "a b"],
    ["client_id", "a\n"],
    ["client_id", "\u00e9"],
    ["client_id", "x".repeat(129)],
    ["software.name", "x".repeat(65)],
    ["metadata.hostname", "x".repeat(256)],
    ["metadata.project", "x".repeat(4097)],
    ["capabilities", Array.from({ length: 65 }, () => "a")],
    ["capabilities.0", "x".repeat(65)],
    ["limits.stream_window", 1023],
    ["limits.stream_window", 2 ** 31],
    ["limits.max_streams", 0],
    ["limits.max_websocket_message", 1023],
    ["status", "waiting"],
    ["sessions", Array.from({ length: 201 }, () => session)],
    ["sessions.0.id", ""],
    ["sessions.0.state", "thinking"],
    ["sessions.0.since", -1],
    ["sessions.0.since", 0.5],
    ["sessions.0.since", 1e300],
    ["sessions.0.since", 8_640_000_000_000_001],
    ["sessions.0.since", "1700000000000"],
    ["absence.cause", "lazy"],
    ["absence.since", -1],
    ["absence.until", 8_640_000_000_000_001],
    ["absence.until", 0.5],
    ["access.users", Array.from({ length: 101 }, () => "ann")],
    ["access.users.0", "x".repeat(161)],
    ["access.organization", "x".repeat(161)],
    ["access.team", "x".repeat(161)],
  ];

  test.each(outside)("register: %s of %j is out of range", (name, value) => {
    const path = name.split(".").map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    const error = failure(() =>
      parseConnectorMessage(JSON.stringify(replaced(fromConnector.register, path, value))),
    );
    expect(error.code).toBe("bad_message");
    expect(error.message).toContain(name);
    expect(error.message.length).toBeLessThanOrEqual(300);
  });

  const ofLogs: [string, unknown][] = [
    ["id", -1],
    ["id", 2 ** 32],
    ["id", 0.5],
    ["lines", Array.from({ length: 201 }, () => fromConnector.log.lines[0])],
    ["lines.0.text", "x".repeat(301)],
    ["lines.0.level", "fatal"],
    ["lines.0.at", 8_640_000_000_000_001],
    ["lines.1.at", "now"],
  ];

  test.each(ofLogs)("log: %s of %j is out of range", (name, value) => {
    const path = name.split(".").map((key) => (/^\d+$/.test(key) ? Number(key) : key));
    const error = failure(() =>
      parseConnectorMessage(JSON.stringify(replaced(fromConnector.log, path, value))),
    );
    expect(error.code).toBe("bad_message");
    expect(error.message).toContain(name);
  });

  test.each([-1, 2 ** 32, 0.5, "1", null])("an id of %j is out of range", (id) => {
    const toConnector = [
      { type: "log_request", id },
      { type: "command", command: "refresh_status", id },
    ];
    for (const message of toConnector)
      expect(failure(() => parseHubMessage(JSON.stringify(message))).code).toBe("bad_message");
    const done = JSON.stringify({ type: "command_done", id });
    expect(failure(() => parseConnectorMessage(done)).code).toBe("bad_message");
  });

  test("a time that is accepted can be shown", () => {
    const message = replaced(fromConnector.register, ["sessions", 0, "since"], 8_640_000_000_000_000);
    const parsed = parseConnectorMessage(JSON.stringify(message));
    const since = parsed?.type === "register" ? (parsed.sessions[0]?.since ?? 0) : 0;
    expect(new Date(since).toISOString()).toBe("+275760-09-13T00:00:00.000Z");
  });

  test("a number too large for JSON's readers is not a number", () => {
    const text = encodeControl(fromConnector.register).replace('"protocol":2', '"protocol":1e999');
    expect(failure(() => parseConnectorMessage(text)).message).toContain("protocol");
  });
});

describe("size", () => {
  const sized = (bytes: number, filler: string) => {
    const frame = '{"type":"later","x":""}';
    const count = Math.floor((bytes - frame.length) / new TextEncoder().encode(filler).byteLength);
    return `{"type":"later","x":"${filler.repeat(count)}"}`;
  };

  test("a message of 256 KiB is read, one byte more is not", () => {
    const fits = sized(LIMITS.controlBytes, "x");
    expect(fits).toHaveLength(LIMITS.controlBytes);
    expect(parseHubMessage(fits)).toBeNull();
    expect(failure(() => parseHubMessage(`${fits} `)).code).toBe("message_too_big");
  });

  test("the longest log there can be is read", () => {
    const line = {
      at: 8_640_000_000_000_000,
      level: "warning" as const,
      text: "\u20ac".repeat(TEXT_LIMITS.logLine),
    };
    const log = {
      type: "log" as const,
      id: 0,
      lines: Array.from({ length: TEXT_LIMITS.logLines }, () => line),
    };
    expect(parseConnectorMessage(encodeControl(log))).toEqual(log);
  });

  test("what is counted is bytes, not characters", () => {
    expect(parseHubMessage(sized(LIMITS.controlBytes, "\u20ac"))).toBeNull();
    expect(failure(() => parseHubMessage(sized(LIMITS.controlBytes + 3, "\u20ac"))).code).toBe(
      "message_too_big",
    );
  });
});

test("whatever text arrives: a message, null or a ConnectionError", () => {
  const text = fc.oneof(
    fc.string(),
    fc.json(),
    fc
      .record({
        type: fc.constantFrom(
          "register",
          "status_update",
          "go_away",
          "command",
          "command_done",
          "log",
          "log_request",
        ),
        access: fc.jsonValue(),
        lines: fc.jsonValue(),
        id: fc.jsonValue(),
        sessions: fc.jsonValue(),
        status: fc.jsonValue(),
      })
      .map((value) => JSON.stringify(value)),
  );
  fc.assert(
    fc.property(text, (data) => {
      for (const parse of [parseConnectorMessage, parseHubMessage]) {
        try {
          parse(data);
        } catch (error) {
          expect(error).toBeInstanceOf(ConnectionError);
        }
      }
    }),
    { numRuns: 500 },
  );
});

test("the words of the wire", () => {
  expect([SUBPROTOCOL, PROTOCOL_VERSION, HEARTBEAT_PING, HEARTBEAT_PONG]).toEqual([
    "orchestrator.v2",
    2,
    "orchestrator.v2.ping",
    "orchestrator.v2.pong",
  ]);
});
