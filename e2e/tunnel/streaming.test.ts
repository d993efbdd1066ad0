/**
 * Nothing on the way keeps a piece of a body until the next one comes: asserted by count, in lockstep, not by time. Of version 1
 * nothing is here: its clients answer a request in one message.
 */
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import * as zlib from "node:zlib";
import type { OrchestratorClient } from "@ai-orchestrator/connector";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { startHub, type TestHub } from "../hub.ts";
import { confirmPieces, Lockstep, startLockstepUpstream, type LockstepUpstream } from "./lockstep.ts";
import { connect } from "./setup.ts";
import { Viewer } from "./viewer.ts";

const PIECES = 100;
const NAVIGATION = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };

let hub: TestHub;
let upstream: LockstepUpstream;
let client: OrchestratorClient;
const viewer = new Viewer();
/** Where the instance is, on an origin of its own and below the hub's. */
const places = { host: "", path: "" };

beforeAll(async () => {
  [hub, upstream] = await Promise.all([startHub(), startLockstepUpstream()]);
  const connected = await connect(hub, { target: upstream.target });
  client = connected.client;
  places.host = connected.origin;
  const [label = ""] = new URL(connected.origin).host.split(".");
  places.path = `${hub.origin}/clients/${label}/proxy`;
  await viewer.navigate(await hub.signInLink());
  upstream.lockstep = new Lockstep(0);
  await viewer.navigate(`${connected.origin}/`);
  const form = { "content-type": "application/x-www-form-urlencoded" };
  const allowed = await viewer.fetch(`${hub.origin}/clients/${label}/path`, {
    method: "POST",
    headers: form,
    body: "path=allow",
  });
  expect(allowed.status).toBe(303);
});

beforeEach(() => {
  upstream.lockstep = new Lockstep(PIECES);
});

afterAll(async () => {
  await client?.stop();
  await upstream?.stop();
  await hub?.stop();
});

/** What an answer's pieces are, by the kind of what it is. Each ends with `|`, and has an address to be rewritten where there may be one. */
const kinds = {
  "plain text": { type: "text/plain", piece: (index: number) => `${index}|` },
  "bytes of no kind": { type: "application/octet-stream", piece: (index: number) => `${index}|` },
  "lines of JSON": {
    type: "application/x-ndjson",
    piece: (index: number) => `{"line":${index},"end":"|"}\n`,
  },
  "server-sent events": { type: "text/event-stream", piece: (index: number) => `data: ${index}|\n\n` },
  "an HTML page": {
    type: "text/html; charset=utf-8",
    piece: (index: number) => (index === 0 ? PAGE : `<p><a href="/${index}">a link</a>|</p>`),
  },
  "a style sheet": {
    type: "text/css",
    piece: (index: number) => `.c${index} { background: url("/${index}.png") } /*|*/\n`,
  },
} satisfies Record<string, LockstepUpstream["answer"]>;

const PAGE = "<!doctype html><html><head><title>a page</title></head><body>|";

/** The body as a browser decodes it, while it comes. */
function decoded(answer: IncomingMessage): AsyncIterable<Buffer> {
  switch (answer.headers["content-encoding"]) {
    case "br":
      return answer.pipe(zlib.createBrotliDecompress());
    case "gzip":
      return answer.pipe(zlib.createGunzip());
    default:
      return answer;
  }
}

interface Asked {
  kind: keyof typeof kinds;
  place: keyof typeof places;
  /** Default: what a fetch of a script sends. */
  headers?: Record<string, string>;
}

/** Asks for it; resolves to how it was encoded once every piece has come by itself. */
async function receive({ kind, place, headers = {} }: Asked): Promise<string | undefined> {
  upstream.answer = kinds[kind];
  const answer = await viewer.open(`${places[place]}/stream`, {
    headers: { referer: `${places[place]}/`, "sec-fetch-site": "same-origin", ...headers },
  });
  expect(answer.statusCode).toBe(200);
  const [count] = await Promise.all([confirmPieces(decoded(answer), upstream.lockstep), upstream.sent]);
  expect(count).toBe(PIECES);
  return answer.headers["content-encoding"];
}

describe.each(["host", "path"] as const)("answers in %s mode", (place) => {
  it.each(Object.keys(kinds) as (keyof typeof kinds)[])("%s, as it is", async (kind) => {
    expect(await receive({ kind, place })).toBeUndefined();
  });

  it.each([
    ["plain text", "br", "br"],
    ["plain text", "gzip", "gzip"],
    ["lines of JSON", "br", "br"],
    // Nobody compresses these: a proxy on the way may wait for more of them.
    ["server-sent events", "br, gzip", undefined],
  ] as const)("%s where the browser takes %s", async (kind, accepted, encoding) => {
    expect(await receive({ kind, place, headers: { "accept-encoding": accepted } })).toBe(encoding);
  });

  it.each(["br", "gzip"])("a style sheet where the browser takes %s", async (accepted) => {
    await receive({ kind: "a style sheet", place, headers: { "accept-encoding": accepted } });
  });

  it.each(["identity", "br", "gzip"])(
    "a page that gets the mark, where the browser takes %s",
    async (accepted) => {
      const headers = { ...NAVIGATION, "accept-encoding": accepted };
      await receive({ kind: "an HTML page", place, headers });
    },
  );
});

describe.each(["host", "path"] as const)("the other way in %s mode", (place) => {
  it("an upload", async () => {
    const request = viewer.begin(`${places[place]}/upload`, {
      method: "POST",
      headers: { referer: `${places[place]}/`, "content-type": "application/octet-stream" },
    });
    const answered = once(request, "response") as Promise<[IncomingMessage]>;
    await upstream.lockstep.send((index) => request.write(`${index}|`));
    request.end();
    const [answer] = await answered;
    const [body] = (await once(answer, "data")) as [Buffer];
    expect(body.toString()).toBe(String(PIECES));
  });

  it("messages of a WebSocket, in both directions", async () => {
    const socket = viewer.webSocket(`${places[place]}/ws`);
    await once(socket, "open");
    const { socket: application } = upstream;
    if (application === undefined) throw new Error("The application has no WebSocket.");
    for (const [from, to] of [
      [application, socket],
      [socket, application],
    ] as const) {
      const lockstep = new Lockstep(PIECES);
      to.on("message", () => lockstep.confirm());
      await lockstep.send((index) => from.send(`${index}`));
    }
    socket.terminate();
  });
});
