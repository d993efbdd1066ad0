/** Answers of a version 1 client that are no HTTP. */
export const MALICIOUS_HEADERS: Record<string, Record<string, unknown>> = {
  "CR and LF in a value": { status: 200, headers: [["x-a", "b\r\nset-cookie: c=d"]], body: "" },
  "LF in a name": { status: 200, headers: [["x-a\nx-b", "c"]], body: "" },
  "NUL in a value": { status: 200, headers: [["x-a", "b\0c"]], body: "" },
  "a name that is no token": { status: 200, headers: [["x a", "b"]], body: "" },
  "an empty name": { status: 200, headers: [["", "b"]], body: "" },
  "a list that is none": { status: 200, headers: { "x-a": "b" }, body: "" },
  "a field of one": { status: 200, headers: [["a"]], body: "" },
  "a million fields": { status: 200, headers: Array.from({ length: 5000 }, () => ["a", "b"]), body: "" },
  "70 KiB of fields": { status: 200, headers: [["x-a", "b".repeat(70_000)]], body: "" },
  "status 101": { status: 101, headers: [], body: "" },
  "status 99": { status: 99, headers: [], body: "" },
  "status 600": { status: 600, headers: [], body: "" },
  "status as text": { status: "200", headers: [], body: "" },
  "half a status": { status: 200.5, headers: [], body: "" },
  "base64 that is none": { status: 200, headers: [["x-orch-encoding", "base64"]], body: "%%%" },
  "a body that is no text": { status: 200, headers: [], body: { a: 1 } },
};
