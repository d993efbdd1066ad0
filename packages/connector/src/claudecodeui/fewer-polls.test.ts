import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { FEWER_POLLS, type PollingPage } from "./fewer-polls.ts";

const RUNNING = "/api/providers/sessions/running";
const SECOND_MS = 1000;

beforeEach(() => void vi.useFakeTimers({ toFake: ["Date"] }));
afterEach(() => void vi.useRealTimers());

class FakeSocket extends EventTarget {
  readonly sent: unknown[] = [];

  send(data: unknown): void {
    this.sent.push(data);
  }
}

/** A page at an instance of its own, or below `prefix`, whose server answers with `sessions`. */
function openPage(prefix = "") {
  const asked: string[] = [];
  const server = { sessions: [] as string[], status: 200, text: undefined as string | undefined };
  let lookAgain = (): void => undefined;
  const page: PollingPage = {
    fetch: (input, init) => {
      const url = input instanceof Request ? input.url : String(input);
      asked.push(`${init?.method ?? "GET"} ${new URL(url, "http://a.localhost").pathname}`);
      const text = server.text ?? JSON.stringify({ success: true, data: { sessions: server.sessions } });
      return Promise.resolve(
        new Response(text, { status: server.status, headers: { "content-type": "application/json" } }),
      );
    },
    WebSocket: FakeSocket as unknown as typeof WebSocket,
    location: { href: `http://a.localhost${prefix}/session/1` },
    document: { addEventListener: (_type, listener) => (lookAgain = listener) },
  };
  runInNewContext(FEWER_POLLS, { window: page, URL, Request, Response, JSON, Date });
  const ask = async (): Promise<string[]> => {
    const answer = await page.fetch(prefix + RUNNING, { headers: { authorization: "Bearer x" } });
    const { data } = (await answer.json()) as { data: { sessions: string[] } };
    return data.sessions;
  };
  /** Asks every five seconds for so many seconds; how often the server was asked. */
  const poll = async (seconds: number): Promise<number> => {
    const before = asked.length;
    for (let passed = 0; passed < seconds; passed += 5) {
      await ask();
      await new Promise((resolve) => setImmediate(resolve));
      vi.setSystemTime(Date.now() + 5 * SECOND_MS);
    }
    return asked.length - before;
  };
  return { page, server, asked, ask, poll, lookAgain: () => lookAgain() };
}

test("in an hour the hub is asked 60 times while nothing runs, and 240 times while something does", async () => {
  const { poll, server } = openPage();
  expect(await poll(3600)).toBe(60);
  server.sessions = ["a"];
  await poll(60);
  expect(await poll(3600)).toBe(240);
});

test("what the page gets is what the server said last, as it said it", async () => {
  const { page, ask, poll, server } = openPage("/clients/x/proxy");
  server.sessions = ["a", "b"];
  await poll(5);
  server.sessions = [];
  expect(await ask()).toEqual(["a", "b"]);
  const again = await page.fetch(`http://a.localhost/clients/x/proxy${RUNNING}`);
  expect([again.status, again.headers.get("content-type")]).toEqual([200, "application/json"]);
});

const telling: [string, (page: ReturnType<typeof openPage>, chat: FakeSocket) => unknown][] = [
  ["a prompt is sent", (_page, chat) => chat.send('{"type":"chat.send"}')],
  ["a session is over", (_page, chat) => receive(chat, '{"sessionId":"a","kind":"complete","success":true}')],
  ["a session asks", (_page, chat) => receive(chat, '{"kind":"permission_request"}')],
  ["a session begins elsewhere", (_page, chat) => receive(chat, '{"kind":"session_upserted"}')],
  ["a session fails", (_page, chat) => receive(chat, '{"kind":"error"}')],
  ["the chat is followed again", (_page, chat) => receive(chat, '{"kind":"chat_subscribed"}')],
  ["the chat breaks off", (_page, chat) => chat.dispatchEvent(new Event("close"))],
  ["something is done", ({ page }) => page.fetch("/api/providers/sessions", { method: "POST" })],
  ["somebody looks again", (page) => page.lookAgain()],
];

test.each(telling)("where %s, the next answer is a new one", async (_when, happen) => {
  const opened = openPage();
  const chat = openChat(opened.page);
  await opened.poll(5);
  opened.server.sessions = ["a"];
  await happen(opened, chat);
  expect(await opened.ask()).toEqual(["a"]);
});

test("an answer that was on its way when something happened is not kept", async () => {
  const { ask, page, server } = openPage();
  const chat = openChat(page);
  const asking = ask();
  chat.send('{"type":"chat.send"}');
  expect(await asking).toEqual([]);
  await new Promise((resolve) => setImmediate(resolve));
  server.sessions = ["a"];
  expect(await ask()).toEqual(["a"]);
});

test("a clock that was set back makes no answer younger", async () => {
  const { ask, poll, server } = openPage();
  await poll(5);
  server.sessions = ["a"];
  vi.setSystemTime(Date.now() - 3600 * SECOND_MS);
  expect(await ask()).toEqual(["a"]);
});

test("pieces of an answer and a terminal's frames change nothing", async () => {
  const { page, poll } = openPage();
  const chat = openChat(page);
  const shell = new page.WebSocket("ws://a.localhost/shell") as unknown as FakeSocket;
  await poll(5);
  receive(chat, '{"kind":"stream_delta","content":"a word"}');
  shell.send("ls");
  receive(shell, '{"kind":"complete"}');
  expect(await poll(50)).toBe(0);
  expect(shell.sent).toEqual(["ls"]);
});

test("an error, and what cannot be read, is asked for again each time", async () => {
  const { page, server, asked } = openPage();
  for (const [status, text] of [
    [500, undefined],
    [200, "no JSON"],
    [200, '{"data":{}}'],
  ] as const) {
    Object.assign(server, { status, text });
    for (let times = 0; times < 3; times++) {
      expect((await page.fetch(RUNNING)).status).toBe(status);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }
  expect(asked).toHaveLength(9);
});

test("everything else is passed on", async () => {
  const { page, asked } = openPage();
  for (let times = 0; times < 2; times++) {
    await page.fetch("/api/projects");
    await page.fetch(new Request("http://a.localhost/api/projects", { method: "GET" }));
  }
  expect(asked).toHaveLength(4);
});

function openChat(page: PollingPage): FakeSocket {
  return new page.WebSocket("ws://a.localhost/ws?token=placeholder") as unknown as FakeSocket;
}

function receive(socket: FakeSocket, data: string): void {
  socket.dispatchEvent(new MessageEvent("message", { data }));
}
