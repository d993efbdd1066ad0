/**
 * Wrote the vectors beside it, once, with the second codec of `src/testing`. They are frozen: a changed vector is a changed
 * protocol. `npm run vectors -w packages/protocol` writes them again; `git diff` must then be empty, except for new ones.
 */
import { writeFileSync } from "node:fs";
import path from "node:path";
import {
  naiveCodePayload,
  naiveFrame,
  naiveRequestPayload,
  naiveResponsePayload,
  toHex,
  type NaiveRequest,
  type NaiveResponse,
} from "../src/testing/naive-codec.ts";
import type { FrameVector, MalformedVector, Piece } from "../src/testing/vectors.ts";

const [END, TEXT, MORE] = [1, 2, 4];
const FLAGS = { END, TEXT, MORE } as const;
type FlagName = keyof typeof FLAGS;

interface Made {
  pieces: Piece[];
  frame: FrameVector["frames"][number];
}

function bits(flags: FlagName[]): number {
  return flags.reduce((sum, flag) => sum + FLAGS[flag], 0);
}

function request(stream: number, head: NaiveRequest, flags: FlagName[] = []): Made {
  const bytes = naiveFrame(1, bits(flags), stream, naiveRequestPayload(head, "latin1"));
  return { pieces: [toHex(bytes)], frame: { type: "REQUEST", flags, stream, head } };
}

function response(stream: number, head: NaiveResponse, flags: FlagName[] = []): Made {
  const bytes = naiveFrame(2, bits(flags), stream, naiveResponsePayload(head, "latin1"));
  return { pieces: [toHex(bytes)], frame: { type: "RESPONSE", flags, stream, head } };
}

function data(stream: number, payload: Piece, flags: FlagName[] = []): Made {
  const size = typeof payload === "string" ? payload.length / 2 : (payload.repeat.length / 2) * payload.times;
  const header = naiveFrame(3, bits(flags), stream, []);
  header.splice(1, 3, size >> 16, (size >> 8) & 255, size & 255);
  return { pieces: [toHex(header), payload], frame: { type: "DATA", flags, stream, payload } };
}

function window(stream: number, credit: number): Made {
  const payload = [credit / 2 ** 24, credit / 2 ** 16, credit / 256, credit].map((part) => Math.floor(part) % 256);
  return { pieces: [toHex(naiveFrame(4, 0, stream, payload))], frame: { type: "WINDOW", flags: [], stream, credit } };
}

function reset(stream: number, code: number, reason: string): Made {
  const bytes = naiveFrame(5, 0, stream, naiveCodePayload(code, reason));
  return { pieces: [toHex(bytes)], frame: { type: "RESET", flags: [], stream, code, reason } };
}

function close(stream: number, code: number, reason: string): Made {
  const bytes = naiveFrame(6, 0, stream, naiveCodePayload(code, reason));
  return { pieces: [toHex(bytes)], frame: { type: "CLOSE", flags: [], stream, code, reason } };
}

function vector(name: string, ...made: Made[]): FrameVector {
  return { name, message: made.flatMap(({ pieces }) => pieces).filter((piece) => piece !== ""), frames: made.map(({ frame }) => frame) };
}

function write(file: string, about: string, vectors: unknown[]): void {
  writeFileSync(path.join(import.meta.dirname, `${file}.json`), `${JSON.stringify({ about, vectors }, null, 1)}\n`);
}

const hex = (text: string) => toHex(new TextEncoder().encode(text));
const get = (target: string, headers: [string, string][] = []): NaiveRequest => ({ kind: "http", method: "GET", target, headers });
const MAX_ID = 0xffff_ffff;

const PIECES =
  "A message is the pieces one after the other: hexadecimal, or a byte repeated. Header text is shown with one character for each byte (Latin-1).";

write("request", `REQUEST frames. ${PIECES}`, [
  vector("the shortest request", request(1, get("/"), ["END"])),
  vector("headers in order, one name twice", request(2, get("/a/b?c=d&e", [["accept", "*/*"], ["cookie", "a=1"], ["cookie", "b=2"]]), ["END"])),
  vector("a request with a body to come", request(3, { kind: "http", method: "POST", target: "/upload", headers: [["content-type", "application/octet-stream"]] })),
  vector("a WebSocket", request(4, { kind: "websocket", method: "GET", target: "/ws?token=x", headers: [["sec-websocket-protocol", "chat"]] })),
  vector("an empty value, a tab, and every byte above ASCII", request(5, get("/", [["x-empty", ""], ["x-tab", "a\tb"], ["x-high", String.fromCharCode(...Array.from({ length: 128 }, (_, index) => 128 + index))]]), ["END"])),
  vector("a value that is UTF-8", request(6, get("/", [["x-name", "Zo\u00c3\u00ab"]]), ["END"])),
  vector("the highest stream id", request(MAX_ID, { kind: "http", method: "PROPFIND", target: "/", headers: [] }, ["END"])),
  vector("every character a method and a name may have", request(7, { kind: "http", method: "!#$%&'*+-.^_`|~09azAZ", target: "/", headers: [["!#$%&'*+-.^_`|~09az", "v"]] }, ["END"])),
]);

write("response", `RESPONSE frames. ${PIECES}`, [
  vector("200 without a body", response(1, { status: 200, headers: [] }, ["END"])),
  vector("two cookies", response(1, { status: 302, headers: [["location", "/login"], ["set-cookie", "a=1; Path=/"], ["set-cookie", "b=2; HttpOnly"]] })),
  vector("101", response(2, { status: 101, headers: [["sec-websocket-protocol", "chat"]] })),
  vector("the last status", response(3, { status: 599, headers: [] }, ["END"])),
  vector("a value of 4 KiB", response(4, { status: 200, headers: [["x-long", "v".repeat(4096)]] }, ["END"])),
]);

write("data", `DATA frames. ${PIECES}`, [
  vector("the end of a body, without bytes", data(1, "", ["END"])),
  vector("one byte", data(1, "00")),
  vector("text of a body and its end", data(1, hex("hello"), ["END"])),
  vector("a full frame", data(1, { repeat: "5a", times: 65_536 })),
  vector("one byte less than a full frame", data(1, { repeat: "5a", times: 65_535 }, ["END"])),
  vector("a WebSocket text message", data(2, hex("{}"), ["TEXT"])),
  vector("an empty WebSocket binary message", data(2, "")),
  vector("a WebSocket text message in two frames", data(2, hex("caf"), ["TEXT", "MORE"]), data(2, "c3a9")),
]);

write("window", `WINDOW frames. ${PIECES}`, [
  vector("the least credit", window(1, 1)),
  vector("a quarter of the default window", window(1, 131_072)),
  vector("the most credit", window(MAX_ID, 0x7fff_ffff)),
]);

const LONG_REASON = "r".repeat(123);
write("reset", `RESET frames. ${PIECES}`, [
  vector("every code", ...Array.from({ length: 13 }, (_, index) => reset(index + 1, index + 1, ""))),
  vector("a reason", reset(1, 5, "nothing listens on 127.0.0.1:3001")),
  vector("the longest reason", reset(1, 7, LONG_REASON)),
  vector("a code of a later version", reset(1, 65_535, "new")),
]);

write("close", `CLOSE frames. ${PIECES}`, [
  vector("no code", close(1, 0, "")),
  vector("normal", close(1, 1000, "bye")),
  vector("vanished", close(1, 1006, "")),
  vector("an application's code and the longest reason", close(1, 4999, LONG_REASON)),
  vector("a reason that is not ASCII", close(1, 1001, "schlie\u00dfen \u{1f6d1}")),
]);

write("messages", `Several frames in one message. ${PIECES}`, [
  vector("none", ...[]),
  vector("a request with its body", request(1, { kind: "http", method: "PUT", target: "/f", headers: [] }), data(1, hex("abc")), data(1, "", ["END"])),
  vector("answers of three streams", response(1, { status: 204, headers: [] }, ["END"]), response(2, { status: 200, headers: [] }), data(2, hex("x")), reset(3, 6, ""), data(2, "", ["END"])),
  vector("credit for many", ...[1, 2, 3, 4].map((stream) => window(stream, stream * 1000))),
  vector("as much as a message holds", ...Array.from({ length: 15 }, (_, index) => data(index + 1, { repeat: "ff", times: 65_536 })), data(16, { repeat: "ff", times: 65_536 - 16 * 8 })),
]);

write("malformed", malformedAbout(), malformedVectors());

function malformedAbout(): string {
  return [
    "Messages that break the rules, and what they cost. The end named by `role` first has the streams of `open`",
    "(`websocket` ones were answered with 101, `http` ones not yet); then `message` arrives. `resets`: what it sends back.",
    "`closed`: the name under which the connection ends, or null. `left`: streams still open.",
  ].join(" ");
}

function malformedVectors(): MalformedVector[] {
  const raw = (type: number, flags: number, stream: number, payload: string) =>
    toHex(naiveFrame(type, flags, stream, (payload.match(/../g) ?? []).map((pair) => Number.parseInt(pair, 16))));
  const good = raw(4, 0, 2, "00000001");
  const connector = (name: string, message: Piece[], rest: Partial<MalformedVector> = {}): MalformedVector =>
    ({ name, role: "connector", open: ["http", "http"], message, resets: [], closed: null, left: [1, 2], ...rest });
  const hub = (name: string, message: Piece[], rest: Partial<MalformedVector> = {}): MalformedVector =>
    ({ ...connector(name, message, rest), role: "hub" });
  const costs = (stream: number, code: string, left: number[]) => ({ resets: [{ stream, code }], left });
  const one = costs(1, "protocol_error", [2]);
  const newStream = costs(3, "protocol_error", [1, 2]);
  const requestPayload = (head: NaiveRequest) => toHex(naiveRequestPayload(head, "latin1"));
  const sockets = { open: ["websocket", "websocket"] as MalformedVector["open"] };
  return [
    connector("a message that ends inside a frame header", [good, "30000000"], { closed: "bad_message" }),
    connector("stream 0", [raw(3, 0, 0, "")], { closed: "bad_message" }),
    connector("a message of 1 MiB and a byte", [{ repeat: "00", times: 1_048_577 }], { closed: "message_too_big" }),
    connector("a frame longer than its message", ["3000000900000001", "0000"], one),
    connector("a frame longer than its message, of no stream", ["3000000900000009", "0000"]),
    connector("what follows a payload over the limit still counts", ["3001000100000001", { repeat: "00", times: 65_537 }, raw(5, 0, 2, "0001")], costs(1, "protocol_error", [])),
    connector("a REQUEST with a payload over the limit", ["1101000100000003", { repeat: "00", times: 65_537 }], newStream),
    connector("an unknown frame type", [raw(7, 15, 1, "ffff"), raw(0, 0, 2, ""), raw(15, 0, 9, "00")]),
    connector("a frame of a stream that never was", [raw(3, 0, 77, "00"), raw(4, 0, 78, "00000001"), raw(5, 0, 79, "0001")]),
    connector("WINDOW of no credit", [raw(4, 0, 1, "00000000")], costs(1, "flow_control_error", [2])),
    connector("WINDOW beyond the maximum", [raw(4, 0, 1, "7fffffff")], costs(1, "flow_control_error", [2])),
    connector("WINDOW of three bytes", [raw(4, 0, 1, "000001")], one),
    connector("RESET of one byte", [raw(5, 0, 1, "00")], one),
    connector("RESET with a reason of 124 bytes", [raw(5, 0, 1, `0001${"61".repeat(124)}`)], one),
    connector("RESPONSE to a connector", [raw(2, 0, 1, "00c80000")], one),
    connector("CLOSE on an HTTP exchange", [raw(6, 0, 1, "03e8")], one),
    connector("DATA after END", [raw(3, 1, 1, ""), raw(3, 0, 1, "00")], one),
    connector("REQUEST on an open stream", [raw(1, 1, 1, requestPayload(get("/")))], one),
    connector("REQUEST with an id that was used", [raw(5, 0, 1, "0001"), raw(1, 1, 1, requestPayload(get("/")))], one),
    connector("REQUEST of an unknown kind", [raw(1, 1, 3, `02${requestPayload(get("/")).slice(2)}`)], newStream),
    connector("REQUEST without a payload", [raw(1, 1, 3, "")], newStream),
    connector("REQUEST with a byte too many", [raw(1, 1, 3, `${requestPayload(get("/"))}00`)], newStream),
    connector("REQUEST whose target names a host", [raw(1, 1, 3, requestPayload(get("http://evil/")))], newStream),
    connector("REQUEST with CR and LF in its target", [raw(1, 1, 3, requestPayload(get("/\r\nx:y")))], newStream),
    connector("REQUEST with a space in its method", [raw(1, 1, 3, requestPayload({ ...get("/"), method: "GET /" }))], newStream),
    connector("REQUEST with a LF in a value", [raw(1, 1, 3, requestPayload(get("/", [["a", "b\nc"]])))], newStream),
    connector("REQUEST with a NUL in a value", [raw(1, 1, 3, requestPayload(get("/", [["a", "\0"]])))], newStream),
    connector("REQUEST with an empty name", [raw(1, 1, 3, requestPayload(get("/", [["", "b"]])))], newStream),
    connector("a WebSocket REQUEST that ends its half", [raw(1, 1, 3, requestPayload({ ...get("/"), kind: "websocket" }))], newStream),
    connector("END on a WebSocket", [raw(3, 1, 1, "")], { ...sockets, ...one }),
    connector("CLOSE twice", [raw(6, 0, 1, "03e8"), raw(6, 0, 1, "03e8")], { ...sockets, ...one }),
    connector("DATA after CLOSE", [raw(6, 0, 1, "03e8"), raw(3, 0, 1, "00")], { ...sockets, ...one }),
    connector("CLOSE of one byte", [raw(6, 0, 1, "03")], { ...sockets, ...one }),
    hub("DATA before RESPONSE", [raw(3, 0, 1, "00")], one),
    hub("RESPONSE with status 100", [raw(2, 0, 1, "00640000")], one),
    hub("RESPONSE with status 600", [raw(2, 0, 1, "02580000")], one),
    hub("RESPONSE 101 to an HTTP request", [raw(2, 0, 1, "00650000")], one),
    hub("RESPONSE of one byte", [raw(2, 0, 1, "00")], one),
    hub("RESPONSE twice", [raw(2, 0, 1, "00c80000"), raw(2, 0, 1, "00c80000")], one),
    hub("REQUEST to a hub", [raw(1, 1, 3, requestPayload(get("/")))], { closed: "bad_message" }),
    hub("RESPONSE twice on a WebSocket", [raw(2, 0, 1, "00650000")], { ...sockets, ...one }),
  ];
}

write("control", controlAbout(), controlVectors());

write("version-1", versionOneAbout(), versionOneVectors());

function versionOneAbout(): string {
  return "Messages of version 1. `text` travels; from a client, `message` is what it means to the hub, null for one that is ignored; `costs` is the request that it costs, null where it names none; or `error`, the name under which the connection ends. From the hub, `message` is written so.";
}

function versionOneVectors(): unknown[] {
  const metadata = { hostname: "laptop", project: "/home/ada/shop", status: "active", version: "1.8.0", platform: "linux", callback_url: "http://127.0.0.1:3001" };
  const { hostname, project, platform, version, status } = metadata;
  const register = { type: "register", client_id: "laptop-1", user_token: "orc_token", metadata };
  const nothing = { hostname: "", project: "", platform: "", version: "", status: "idle" };
  const fields = [["content-type", "text/html"], ["set-cookie", "a=1"], ["set-cookie", "b=2"]];
  const client = (name: string, message: unknown, rest: object) => ({ name, from: "client", text: typeof message === "string" ? message : JSON.stringify(message), ...rest });
  const same = (name: string, message: object) => client(name, message, { message });
  const hub = (name: string, message: object) => ({ name, from: "hub", text: JSON.stringify(message), message });
  return [
    client("register", register, { message: { ...register, metadata: { hostname, project, platform, version, status } } }),
    client("register with the token in the URL, and nothing said", { type: "register" }, { message: { type: "register", metadata: nothing } }),
    client("register with metadata that is none", { ...register, metadata: { hostname: 7, status: "thinking", project: null } }, { message: { ...register, metadata: nothing } }),
    client("register with a client_id that is none", { ...register, client_id: "my laptop" }, { costs: null }),
    same("ping", { type: "ping", client_id: "laptop-1" }),
    client("a ping with a time", { type: "ping", client_id: "laptop-1", at: 1 }, { message: { type: "ping", client_id: "laptop-1" } }),
    client("status_update", { type: "status_update", client_id: "laptop-1", status: "busy" }, { message: { type: "status_update", status: "busy" } }),
    client("status_update with a word of its own", { type: "status_update", client_id: "laptop-1", status: "asleep" }, { costs: null }),
    same("http_proxy_response", { type: "http_proxy_response", request_id: "r1", status: 200, headers: fields, body: "<p>ü</p>" }),
    same("http_proxy_response of bytes", { type: "http_proxy_response", request_id: "r1", status: 200, headers: [["x-orch-encoding", "base64"]], body: "AP8=" }),
    client("http_proxy_response without headers and body", { type: "http_proxy_response", request_id: "r1", status: 204 }, { message: { type: "http_proxy_response", request_id: "r1", status: 204, headers: [], body: "" } }),
    client("http_proxy_response with status 101", { type: "http_proxy_response", request_id: "r1", status: 101, headers: [], body: "" }, { costs: "r1" }),
    client("http_proxy_response with headers that are no list", { type: "http_proxy_response", request_id: "r1", status: 200, headers: { a: "b" }, body: "" }, { costs: "r1" }),
    client("http_proxy_response to nothing", { type: "http_proxy_response", status: 200, headers: [], body: "" }, { costs: null }),
    same("response_chunk of text", { type: "response_chunk", request_id: "r2", data: "{}" }),
    same("response_chunk of an object", { type: "response_chunk", request_id: "r2", data: { type: "claude-response" } }),
    client("response_complete", { type: "response_complete", request_id: "r2", data: null }, { message: { type: "response_complete", request_id: "r2" } }),
    same("error of a request", { type: "error", request_id: "r2", message: "no such session" }),
    same("error of none", { type: "error", message: "out of memory" }),
    client("a type of its own", { type: "telemetry", load: 1 }, { message: null }),
    client("a hub's message", { type: "command", command: "disconnect" }, { message: null }),
    client("not JSON", "register", { error: "bad_message" }),
    client("no type", {}, { error: "bad_message" }),
    hub("registered", { type: "registered", success: true }),
    hub("registered, to give up", { type: "registered", success: false, message: "The token was revoked." }),
    hub("pong", { type: "pong", client_id: "laptop-1" }),
    hub("http_proxy_request", { type: "http_proxy_request", request_id: "r1", method: "POST", path: "/api/projects?all=1", headers: [["content-type", "application/json"]], body: "{}", proxy_base: "/clients/laptop-1a2b3c4d/proxy" }),
    hub("user_request", { type: "user_request", request_id: "r2", action: "claude-command", payload: { command: "hi" } }),
    hub("user_request that closes another", { type: "user_request", request_id: "r2", action: "close", payload: {} }),
    hub("command: disconnect", { type: "command", command: "disconnect" }),
    hub("command: refresh_status", { type: "command", command: "refresh_status" }),
    hub("error", { type: "error", message: "A newer connection of this instance has taken over." }),
  ];
}

function controlAbout(): string {
  return "Control messages. `text` travels; `message` is what it means to the receiver, null for one that is ignored; or `error`, the name under which the connection ends.";
}

function controlVectors(): unknown[] {
  const software = { name: "orchestrator", version: "1.0.0" };
  const limits = { stream_window: 524_288, max_streams: 256, max_websocket_message: 16_777_216 };
  const sessions = [{ id: "s1", title: "Fix the login", project: "/home/ada/shop", state: "needs_permission", since: 1_790_000_000_000 }];
  const metadata = { hostname: "laptop", project: "/home/ada/shop", platform: "linux", upstream: { name: "claudecodeui", version: "1.37.3" } };
  const register = { type: "register", protocol: 2, client_id: "laptop-1", software, metadata, capabilities: [], limits, status: "busy", sessions };
  const valid = [
    { name: "register", from: "connector", message: register },
    { name: "registered", from: "hub", message: { type: "registered", success: true, protocol: 2, software, limits, instance: { label: "laptop-1a2b3c4d", url: "https://laptop-1a2b3c4d-hub.example.com" } } },
    { name: "status_update", from: "connector", message: { type: "status_update", status: "active", sessions: [] } },
    { name: "command: disconnect", from: "hub", message: { type: "command", command: "disconnect" } },
    { name: "command: refresh_status", from: "hub", message: { type: "command", command: "refresh_status" } },
    { name: "register with log and absence", from: "connector", message: { ...register, capabilities: ["log"], absence: { cause: "asleep", since: 1_790_000_000_000, until: 1_790_000_600_000 } } },
    { name: "log_request", from: "hub", message: { type: "log_request", id: 1 } },
    { name: "log", from: "connector", message: { type: "log", id: 1, lines: [{ at: 1_790_000_000_000, level: "info", text: "Connected: https://laptop-1a2b3c4d-hub.example.com" }, { at: 1_790_000_000_500, level: "warning", text: "Connection lost: the connection broke. Trying again at once, and until it works." }] } },
    { name: "an empty log", from: "connector", message: { type: "log", id: 4_294_967_295, lines: [] } },
    { name: "register with a list of who may use it", from: "connector", message: { ...register, capabilities: ["commands"], access: { users: ["ada", "Grace:7"], organization: "acme", team: "core" } } },
    { name: "command with an id", from: "hub", message: { type: "command", command: "refresh_status", id: 4_294_967_295 } },
    { name: "command_done", from: "connector", message: { type: "command_done", id: 4_294_967_295 } },
    { name: "go_away from the hub", from: "hub", message: { type: "go_away", code: "token_revoked", message: "The token of this instance was revoked." } },
    { name: "go_away from the connector", from: "connector", message: { type: "go_away", code: "going_away", message: "" } },
  ].map(({ name, from, message }) => ({ name, from, text: JSON.stringify(message), message }));
  return [
    ...valid,
    { name: "a field of a later version", from: "hub", text: '{"type":"command","command":"disconnect","after":5}', message: { type: "command", command: "disconnect" } },
    { name: "a type of a later version", from: "hub", text: '{"type":"later"}', message: null },
    { name: "a hub's message from a connector", from: "connector", text: '{"type":"command","command":"disconnect"}', message: null },
    { name: "a log request from a connector", from: "connector", text: '{"type":"log_request","id":1}', message: null },
    { name: "a log request without an id", from: "hub", text: '{"type":"log_request"}', error: "bad_message" },
    { name: "an unknown level", from: "connector", text: '{"type":"log","id":1,"lines":[{"at":1,"level":"fatal","text":""}]}', error: "bad_message" },
    { name: "an unknown cause of an absence", from: "connector", text: JSON.stringify({ ...register, absence: { cause: "holiday", since: 1, until: 2 } }), error: "bad_message" },
    { name: "a list of too many", from: "connector", text: JSON.stringify({ ...register, access: { users: Array.from({ length: 101 }, () => "ada") } }), error: "bad_message" },
    { name: "command_done without an id", from: "connector", text: '{"type":"command_done"}', error: "bad_message" },
    { name: "command_done from a hub", from: "hub", text: '{"type":"command_done","id":1}', message: null },
    { name: "not JSON", from: "hub", text: "orchestrator", error: "bad_message" },
    { name: "no type", from: "hub", text: "{}", error: "bad_message" },
    { name: "an unknown command", from: "hub", text: '{"type":"command","command":"reboot"}', error: "bad_message" },
    { name: "an unknown state", from: "connector", text: JSON.stringify({ ...register, sessions: [{ ...sessions[0], state: "thinking" }] }), error: "bad_message" },
    { name: "a client_id with a space", from: "connector", text: JSON.stringify({ ...register, client_id: "my laptop" }), error: "bad_message" },
  ];
}
