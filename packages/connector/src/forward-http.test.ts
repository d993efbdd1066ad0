/** What reaches the application, byte by byte, of requests that are not well-behaved; and answers that are not. */
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createPlainAdapter, type HeaderList } from "./adapter.ts";
import { type HubEnd, joinHub } from "./testing/hub-end.ts";

const OK = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";

let server: Server;
let hub: HubEnd;
/** Everything that arrived, connection by connection. */
let received: string[];
let answer: (text: string, socket: Socket) => string;

beforeEach(async () => {
  received = [];
  answer = () => OK;
  server = createServer((socket) => {
    const index = received.push("") - 1;
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => {
      received[index] += data.toString("latin1");
      const text = received[index] ?? "";
      if (isWhole(text)) socket.write(answer(text, socket));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  hub = joinHub(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
});
afterEach(() => {
  hub.stop();
  server.close();
});

/** As a server of HTTP/1.1 reads it: the head, then as many bytes as the head says. */
function isWhole(text: string): boolean {
  const [head = "", body = ""] = split(text);
  if (/\r\ntransfer-encoding: chunked/i.test(head)) return body.endsWith("0\r\n\r\n");
  return body.length >= Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
}

function split(text: string): string[] {
  const end = text.indexOf("\r\n\r\n");
  return end < 0 ? [text] : [text.slice(0, end), text.slice(end + 4)];
}

const post = (...headers: HeaderList) => ({ method: "POST", headers });

describe("the length of a request's body", () => {
  test("is what its one Content-Length says, if it is true", async () => {
    expect(await hub.ask(post(["content-length", "6"]), "abc", "def")).toBe(200);
    expect(received.join()).toMatch(/\r\ncontent-length: 6\r\n/);
    expect(received.join()).toMatch(/\r\n\r\nabcdef$/);
  });

  test("longer than said: the rest is no second request", async () => {
    const smuggled = "GET /smuggled HTTP/1.1\r\nhost: x\r\n\r\n";
    answer = () => "";
    expect(await hub.ask(post(["content-length", "3"]), `abc${smuggled}`)).toBe("protocol_error");
    expect(await hub.ask(post(["content-length", "3"]), "abc", smuggled)).toBe("protocol_error");
    expect(await hub.ask(post(["content-length", "0"]), smuggled)).toBe("protocol_error");
    expect(received.join()).not.toContain("smuggled");
  });

  test("shorter than said: the connection is not used again", async () => {
    expect(await hub.ask(post(["content-length", "40"]), "abc")).toBe("protocol_error");
    expect(await hub.ask(post(["content-length", "40"]))).toBe("protocol_error");
    expect(await hub.ask({ target: "/next" })).toBe(200);
    expect(received.filter((text) => text.includes("/next"))).toHaveLength(1);
    expect(received.find((text) => text.includes("/next"))).toMatch(/^GET \/next/);
  });

  test.each<[string, HeaderList]>([
    [
      "two that differ",
      [
        ["content-length", "3"],
        ["content-length", "40"],
      ],
    ],
    [
      "two that agree",
      [
        ["content-length", "3"],
        ["content-length", "3"],
      ],
    ],
    ["a list", [["content-length", "3, 3"]]],
    ["a sign", [["content-length", "+3"]]],
    ["hexadecimal", [["content-length", "0x3"]]],
    ["no number", [["content-length", ""]]],
    ["more than a number holds", [["content-length", "9".repeat(30)]]],
    ["and Transfer-Encoding", [["transfer-encoding", "gzip, chunked"]]],
  ])("%s: the frames alone decide", async (_what, headers) => {
    expect(await hub.ask(post(...headers), "abc")).toBe(200);
    const [head = "", body] = split(received.join());
    expect(head.match(/transfer-encoding|content-length/gi)).toEqual(["transfer-encoding"]);
    expect(head).toContain("transfer-encoding: chunked");
    expect(body).toBe("3\r\nabc\r\n0\r\n\r\n");
  });

  test("whatever is said and sent, the application sees one request with that body, or none that is whole", async () => {
    const lengths = fc.array(fc.oneof(fc.nat(12).map(String), fc.constantFrom("", "-1", "1e1", "3;3")), {
      maxLength: 2,
    });
    const pieces = fc.array(fc.stringMatching(/^[a-z]{1,6}$/), { minLength: 1, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(lengths, pieces, async (values, body) => {
        received.length = 0;
        const fields: HeaderList = values.map((value) => ["content-length", value]);
        const outcome = await hub.ask(post(...fields), ...body);
        hub.stop();
        const whole = received.filter((text) => text !== "" && isWhole(text));
        const said = values.length === 1 && /^\d+$/.test(values[0] ?? "") ? Number(values[0]) : undefined;
        const fits = said === undefined || said === body.join("").length;
        expect(outcome).toBe(fits ? 200 : "protocol_error");
        expect(whole.map(bodyOf)).toEqual(fits ? [body.join("")] : []);
      }),
      { numRuns: 150 },
    );
  });
});

function bodyOf(text: string): string {
  const [head = "", body = ""] = split(text);
  if (!/transfer-encoding/.test(head)) return body;
  return body.replaceAll(/[0-9a-f]+\r\n([a-z]*)\r\n/g, "$1");
}

describe("what is not forwarded", () => {
  test.each(["CONNECT", "TRACE"])("%s", async (method) => {
    expect(await hub.ask({ method })).toBe("denied");
    expect(received).toEqual([]);
  });
});

describe("answers that are none", () => {
  test("101 to a plain request fails at once", async () => {
    answer = () => "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    const before = Date.now();
    expect(await hub.ask({})).toBe("upstream_failed");
    expect(await hub.ask(post(), "abc")).toBe("upstream_failed");
    expect(Date.now() - before).toBeLessThan(1_000);
  });

  test("an end without an answer fails at once", async () => {
    answer = (_text, socket) => {
      socket.end();
      return "";
    };
    expect(await hub.ask({})).toBe("upstream_failed");
  });

  test("a kept connection that breaks: what acts is not sent twice, what only asks is", async () => {
    answer = (text, socket) => {
      if (text.split(" HTTP/1.1").length < 3) return OK;
      socket.resetAndDestroy();
      return "";
    };
    expect(await hub.ask({})).toBe(200);
    expect(await hub.ask({ method: "DELETE", target: "/act" })).toBe("upstream_failed");
    expect(await hub.ask({})).toBe(200);
    expect(await hub.ask({ target: "/ask" })).toBe(200);
    expect(received.filter((text) => text.includes("/act"))).toHaveLength(1);
    expect(received.filter((text) => text.includes("/ask"))).toHaveLength(2);
  });
});

test("a body that ends with its connection may have been cut short, so it is not for ever", async () => {
  const caching = (more: string) =>
    `HTTP/1.1 200 OK\r\ncache-control: public, Immutable, max-age=9\r\n${more}\r\n`;
  const answers: Record<string, string> = {
    "/closed": caching("connection: close\r\n"),
    "/length": caching("content-length: 0\r\n"),
    "/chunked": `${caching("transfer-encoding: chunked\r\n")}0\r\n\r\n`,
    "/same": caching("").replace("200 OK", "304 Not Modified"),
  };
  const seen: string[] = [];
  const plain = createPlainAdapter();
  hub.stop();
  hub = joinHub(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, {
    ...plain,
    prepareResponse: (request, response) => {
      seen.push(new Map(response.headers).get("cache-control") ?? "");
      return plain.prepareResponse(request, response);
    },
  });
  answer = (text, socket) => {
    const target = text.split("GET ").at(-1)?.split(" ")[0] ?? "";
    if (target === "/closed") setImmediate(() => socket.end("half"));
    return answers[target] ?? OK;
  };
  for (const target of Object.keys(answers)) await hub.ask({ target });
  const whole = "public, Immutable, max-age=9";
  expect(seen).toEqual(["public, max-age=9", whole, whole, whole]);
});

describe("an adapter's mistake", () => {
  const mistake = () => {
    throw new Error("an adapter's mistake");
  };

  test.each(["prepareRequest", "prepareResponse"] as const)(
    "in %s is the end of its stream alone",
    async (name) => {
      const target = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const adapter = createPlainAdapter();
      const joined = joinHub(target, { ...adapter, [name]: mistake });
      expect(await joined.ask({})).toBe("upstream_failed");
      joined.stop();
    },
  );
});

test("an upload may take longer than the application for its answer, as long as it goes on", async () => {
  hub.stop();
  hub = joinHub(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, createPlainAdapter(), 300);
  const pieces = [200, 400, 600].map((ms) => delay(ms, "abc"));
  expect(await hub.ask(post(["content-length", "9"]), ...pieces)).toBe(200);
  expect(received.join()).toMatch(/\r\n\r\nabcabcabc$/);
  answer = () => "";
  expect(await hub.ask(post(["content-length", "6"]), "abc", delay(900, "def"))).toBe("upstream_timeout");
  expect(await hub.ask({ target: "/never" })).toBe("upstream_timeout");
});
