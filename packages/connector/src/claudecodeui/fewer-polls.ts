/**
 * claudecodeui's page asks every five seconds which sessions run, 720 times in an hour of looking at it, and through a hub each
 * of them is paid for. What the page sends and receives tells when the answer may have changed, so in between it is given the
 * last one again: asked once a minute while nothing runs, and four times while something does.
 */

/** What of a browser's window is used. */
export interface PollingPage {
  fetch: typeof fetch;
  WebSocket: new (url: string | URL, protocols?: string | string[]) => WebSocket;
  location: { href: string };
  document: { addEventListener(type: "visibilitychange", listener: () => void): void };
}

/**
 * Gives the last answer again for as long as it is good. Returns what makes it worthless. This and what follows run in the page
 * as the text that they are: they use nothing from outside.
 */
function keepSessions(page: PollingPage): () => void {
  const IDLE_MS = 60_000;
  const BUSY_MS = 15_000;
  const ASKED = /\/api\/providers\/sessions\/running$/;
  const platformFetch = page.fetch;
  let kept: { text: string; type: string; at: number; forMs: number } | undefined;
  /** Counts what may have changed the answer. */
  let changes = 0;

  const forget = () => {
    kept = undefined;
    changes++;
  };

  async function keep(answer: Response, before: number): Promise<void> {
    const text = await answer.text();
    const { data } = JSON.parse(text) as { data?: { sessions?: unknown } };
    if (!Array.isArray(data?.sessions) || changes !== before) return;
    const forMs = data.sessions.length === 0 ? IDLE_MS : BUSY_MS;
    kept = { text, type: answer.headers.get("content-type") ?? "", at: Date.now(), forMs };
  }

  page.fetch = async (input, init) => {
    const asked = input instanceof Request ? input : { url: String(input), method: "GET" };
    if ((init?.method ?? asked.method) !== "GET") {
      forget();
      // What it did may be in no answer before its own.
      return platformFetch(input, init).finally(forget);
    }
    if (!ASKED.test(new URL(asked.url, page.location.href).pathname)) return platformFetch(input, init);
    // A clock that was set back makes nothing younger.
    const age = kept === undefined ? Infinity : Date.now() - kept.at;
    if (kept !== undefined && age >= 0 && age < kept.forMs)
      return new Response(kept.text, { headers: { "content-type": kept.type } });
    const before = changes;
    const answer = await platformFetch(input, init);
    // What cannot be read as expected is asked for again, as it would have been.
    if (answer.status === 200) keep(answer.clone(), before).catch(forget);
    return answer;
  };
  return forget;
}

/** Calls `changed` where other sessions may run than before: by what passes on the chat's WebSocket, and when somebody looks again. */
function noticeChanges(page: PollingPage, changed: () => void): void {
  const CHAT = /\/ws$/;
  const TELLING =
    /"kind":"(?:permission_|complete"|error"|protocol_error"|chat_subscribed"|session_upserted")/;
  const PlatformWebSocket = page.WebSocket;

  page.WebSocket = class extends PlatformWebSocket {
    readonly #isChat: boolean;

    constructor(url: string | URL, protocols?: string | string[]) {
      super(url, protocols);
      this.#isChat = CHAT.test(new URL(url, page.location.href).pathname);
      if (!this.#isChat) return;
      for (const type of ["open", "close"]) this.addEventListener(type, changed);
      this.addEventListener("message", ({ data }: MessageEvent) => {
        if (typeof data !== "string" || TELLING.test(data)) changed();
      });
    }

    override send(data: Parameters<WebSocket["send"]>[0]): void {
      if (this.#isChat) changed();
      super.send(data);
    }
  };

  page.document.addEventListener("visibilitychange", changed);
}

/** Runs before any script of the page's own. */
export const FEWER_POLLS = `(${noticeChanges.toString()})(window,(${keepSessions.toString()})(window))`;
