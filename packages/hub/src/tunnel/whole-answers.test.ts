/** Answers that come in one message take a shorter way than those that come in pieces; nobody may see which it was. */
import { env } from "cloudflare:workers";
import { afterEach, beforeAll, describe, expect, it, vi } from "vitest";
import type { HeaderFields, Stream } from "@ai-orchestrator/protocol";
import { connectFake } from "../../test/fake-connector.ts";
import { admit } from "../../test/hub.ts";
import { view } from "../../test/viewer.ts";
import { issueInstanceToken } from "../auth/token.ts";
import { upsertUser } from "../db/users.ts";

const OWNER = "github:1";
let token: string;

beforeAll(async () => {
  await upsertUser(env.DB, { id: OWNER, login: "ann", name: "Ann" }, Date.now());
  await admit(OWNER);
  ({ text: token } = await issueInstanceToken(env.DB, { userId: OWNER, name: "test" }));
});
afterEach(() => {
  vi.restoreAllMocks();
});

interface Case {
  method?: string;
  status?: number;
  headers?: HeaderFields;
  parts: Uint8Array[];
  ends?: "end" | "reset";
}

/** Pieces of a stream leave in one message, unless each waits for the one before to have left. */
async function answer(stream: Stream, { status = 200, headers = [], parts, ends }: Case, split: boolean) {
  const steps = [
    () => stream.respond({ status, headers: [["content-type", "text/plain"], ...headers] }),
    ...parts.map((part) => () => stream.write(part)),
    () => (ends === "reset" ? stream.reset("upstream_failed") : stream.end()),
  ];
  for (const step of steps) {
    step();
    if (split) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function outcome(id: string, the: Case, split: boolean) {
  const name = `${id}-${split ? "split" : "whole"}`;
  await connectFake(token, name, {
    http: (stream) => {
      answer(stream, the, split).catch(() => stream.reset("internal_error"));
    },
  });
  const response = await view(OWNER, name, "/file", { method: the.method ?? "GET" });
  const bytes = response.arrayBuffer().then(
    (buffer) => new Uint8Array(buffer),
    () => "broken off",
  );
  return {
    status: response.status,
    headers: [...response.headers],
    hasBody: response.body !== null,
    bytes: await bytes,
  };
}

const text = (value: string) => new TextEncoder().encode(value);
const LONG = new Uint8Array(40_000).fill(7);

describe("an answer in one message is the same as one in many", () => {
  it.each<[string, Case]>([
    ["short", { parts: [text("hello")] }],
    ["of two parts", { parts: [text("hel"), text("lo")] }],
    ["with its length", { headers: [["content-length", "5"]], parts: [text("hello")] }],
    ["with a length that is none", { headers: [["content-length", "5, 5"]], parts: [text("hello")] }],
    ["shorter than said", { headers: [["content-length", "9"]], parts: [text("hello")] }],
    ["longer than said", { headers: [["content-length", "3"]], parts: [text("hello")] }],
    ["empty", { parts: [] }],
    ["empty, with its length", { headers: [["content-length", "0"]], parts: [] }],
    ["longer than is kept whole", { parts: [LONG, LONG] }],
    ["to HEAD", { method: "HEAD", headers: [["content-length", "5"]], parts: [] }],
    ["to HEAD, with a body", { method: "HEAD", parts: [text("hello")] }],
    ["204", { status: 204, parts: [] }],
    ["304", { status: 304, headers: [["etag", '"1"']], parts: [] }],
    ["an error", { status: 500, parts: [text("no")] }],
    ["compressed by the application", { headers: [["content-encoding", "x-own"]], parts: [text("hello")] }],
    [
      "with cookies",
      {
        headers: [
          ["set-cookie", "a=1"],
          ["set-cookie", "b=2; domain=x"],
        ],
        parts: [text("x")],
      },
    ],
    [
      "an event stream that ends",
      { headers: [["content-type", "text/event-stream"]], parts: [text("data: 1\n\n")] },
    ],
    ["broken off", { parts: [text("hel")], ends: "reset" }],
    ["broken off before its body", { parts: [], ends: "reset" }],
    ["with a field that cannot be sent on", { headers: [["x-a", "\u0001"]], parts: [text("x")] }],
  ])("%s", async (what, the) => {
    const id = what.replaceAll(/[^a-z0-9]+/gi, "-").toLowerCase();
    expect(await outcome(id, the, false)).toEqual(await outcome(id, the, true));
  });
});

it("gives the beginning of a body on before more of it comes", async () => {
  let stream: Stream | undefined;
  await connectFake(token, "streams", {
    http: (opened) => {
      stream = opened;
      opened.respond({ status: 200, headers: [] });
      opened.write(text("first"));
    },
  });
  const reader = (await view(OWNER, "streams", "/")).body?.getReader();
  expect(new TextDecoder().decode((await reader?.read())?.value as Uint8Array)).toBe("first");
  stream?.write(text("second"));
  expect(new TextDecoder().decode((await reader?.read())?.value as Uint8Array)).toBe("second");
  await reader?.cancel();
});

it("costs one message each way, no stream, and one timer for all that are in progress", async () => {
  const waiting: Stream[] = [];
  let hasAll = () => {};
  const all = new Promise<void>((resolve) => (hasAll = resolve));
  const connector = await connectFake(token, "counted", {
    http: (stream) => {
      if (waiting.push(stream) === 10) hasAll();
    },
  });
  const streams = [
    vi.spyOn(globalThis, "IdentityTransformStream"),
    vi.spyOn(globalThis, "FixedLengthStream"),
  ];
  const timers = vi.spyOn(globalThis, "setTimeout");
  const before = connector.binaryMessages();
  const asked = Promise.all(Array.from({ length: 10 }, (_, n) => view(OWNER, "counted", `/${n}`)));
  await all;
  expect(connector.binaryMessages() - before).toBeLessThanOrEqual(10);
  expect(timers).toHaveBeenCalledTimes(1);
  for (const stream of waiting) {
    stream.respond({ status: 200, headers: [["content-length", "5"]] });
    stream.write(text("hello"));
    stream.end();
  }
  for (const response of await asked) expect(await response.text()).toBe("hello");
  for (const made of streams) expect(made).not.toHaveBeenCalled();
  expect(timers).toHaveBeenCalledTimes(1);
});
