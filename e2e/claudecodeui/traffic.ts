/**
 * Records everything that pages receive, send and keep, through Chromium's own debugging protocol: addresses, headers
 * (those that scripts cannot see among them), bodies, frames of WebSockets, storage and what is drawn.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { BrowserContext, CDPSession, Page } from "playwright-core";

/** Other people's servers that claudecodeui's page asks for fonts and news. The tests are offline on every machine. */
const ELSEWHERE = ["*://fonts.googleapis.com/*", "*://fonts.gstatic.com/*", "*://api.github.com/*"];

/** Network events whose content is recorded as it is. */
const EVENTS = [
  "requestWillBeSent",
  "requestWillBeSentExtraInfo",
  "responseReceived",
  "responseReceivedExtraInfo",
  "eventSourceMessageReceived",
  "webSocketCreated",
  "webSocketWillSendHandshakeRequest",
  "webSocketHandshakeResponseReceived",
  "webSocketFrameSent",
  "webSocketFrameReceived",
] as const;

export class Traffic {
  /** `GET <url>: <status or error>` of what did not go well, cancelled requests and other people's servers aside. */
  readonly failures: string[] = [];
  /** Errors of scripts and of the console, without those that only repeat a failed request. */
  readonly complaints: string[] = [];
  /** Every WebSocket: its address without query, the status it was answered with if it was, what went wrong with it. */
  readonly sockets = new Map<string, { url: string; status?: number; error?: string }>();
  readonly #records: string[] = [];
  /** Bodies by `GET <url without query>`, and those of which none could be read: their page had gone. */
  readonly #read = new Set<string>();
  readonly #unread = new Set<string>();
  readonly #reading = new Set<Promise<void>>();
  /** Each page's requests that have not ended. */
  readonly #open = new WeakMap<Page, Set<string>>();

  /** A new page that is recorded from its first request on. */
  async open(context: BrowserContext): Promise<Page> {
    const page = await context.newPage();
    const session = await context.newCDPSession(page);
    for (const event of EVENTS) {
      session.on(`Network.${event}`, (content: unknown) => this.#records.push(JSON.stringify(content)));
    }
    const open = new Set<string>();
    this.#open.set(page, open);
    this.#followRequests(session, open);
    this.#followSockets(session);
    page.on("pageerror", (error) => this.complaints.push(String(error)));
    page.on("console", (message) => {
      if (message.type() === "error") this.complaints.push(`${message.text()} (${message.location().url})`);
    });
    const megabytes = 2 ** 20;
    await session.send("Network.enable", {
      maxTotalBufferSize: 200 * megabytes,
      maxResourceBufferSize: 50 * megabytes,
      maxPostDataSize: megabytes,
    });
    await session.send("Network.setBlockedURLs", { urls: ELSEWHERE });
    return page;
  }

  /** Adds what a page holds now, once it asks for nothing more: its document, everything it has stored, its caches. */
  async keep(page: Page): Promise<void> {
    // A body can be read only as long as its document is there.
    await this.#quiet(page);
    await this.text();
    const cookies = await page.context().cookies();
    this.#records.push(JSON.stringify(cookies), await page.content(), await page.evaluate(readStorage));
  }

  /** All that was recorded, once every body has been read. */
  async text(): Promise<string> {
    await Promise.all(this.#reading);
    return this.#records.join("\n");
  }

  /** What was received but not read, not even another time. */
  unread(): string[] {
    return [...this.#unread].filter((request) => !this.#read.has(request));
  }

  /** Waits until nothing is asked for, for a moment; what has not ended after ten seconds is a stream. */
  async #quiet(page: Page): Promise<void> {
    const deadline = Date.now() + 10_000;
    for (let quiet = 0; quiet < 5 && Date.now() < deadline; quiet++) {
      if ((this.#open.get(page)?.size ?? 0) > 0) quiet = 0;
      await delay(100);
    }
  }

  #followRequests(session: CDPSession, open: Set<string>): void {
    const asked = new Map<string, string>();
    const nameOf = (id: string) => asked.get(id) ?? id;
    session.on("Network.requestWillBeSent", ({ requestId, loaderId, request }) => {
      // Of what a document still waited for when another took its place, nothing is heard any more.
      if (requestId === loaderId) open.clear();
      asked.set(requestId, `${request.method} ${request.url.split("?", 1)[0]}`);
      open.add(requestId);
    });
    session.on("Network.responseReceived", ({ requestId, response: { status } }) => {
      if (status >= 400) this.failures.push(`${nameOf(requestId)}: ${status}`);
    });
    session.on("Network.loadingFailed", ({ requestId, errorText, canceled, blockedReason }) => {
      open.delete(requestId);
      if (canceled !== true && blockedReason === undefined)
        this.failures.push(`${nameOf(requestId)}: ${errorText}`);
    });
    session.on("Network.loadingFinished", ({ requestId }) => {
      open.delete(requestId);
      this.#reading.add(this.#readBody(session, requestId, nameOf(requestId)));
    });
  }

  async #readBody(session: CDPSession, requestId: string, name: string): Promise<void> {
    try {
      const { body, base64Encoded } = await session.send("Network.getResponseBody", { requestId });
      this.#records.push(base64Encoded ? Buffer.from(body, "base64").toString("latin1") : body);
      this.#read.add(name);
    } catch {
      this.#unread.add(name);
    }
  }

  #followSockets(session: CDPSession): void {
    session.on("Network.webSocketCreated", ({ requestId, url }) => {
      this.sockets.set(requestId, { url: url.split("?", 1)[0] ?? url });
    });
    session.on("Network.webSocketHandshakeResponseReceived", ({ requestId, response }) => {
      Object.assign(this.sockets.get(requestId) ?? {}, { status: response.status });
    });
    session.on("Network.webSocketFrameError", ({ requestId, errorMessage }) => {
      Object.assign(this.sockets.get(requestId) ?? {}, { error: errorMessage });
    });
  }
}

/** Runs in the page: everything its origin keeps in this browser, as text. */
async function readStorage(): Promise<string> {
  const kept: unknown[] = [Object.entries(localStorage), Object.entries(sessionStorage), document.cookie];
  for (const name of await caches.keys()) {
    const cache = await caches.open(name);
    for (const request of await cache.keys()) {
      const response = await cache.match(request);
      kept.push(request.url, [...(response?.headers ?? [])], await response?.text());
    }
  }
  const request = <T>(asked: IDBRequest<T>) =>
    new Promise<T>((resolve, reject) => {
      asked.onsuccess = () => resolve(asked.result);
      asked.onerror = () => reject(new Error(asked.error?.message));
    });
  for (const { name, version } of await indexedDB.databases()) {
    const database = await request(indexedDB.open(name ?? "", version));
    for (const store of database.objectStoreNames) {
      kept.push(await request(database.transaction(store).objectStore(store).getAll()));
    }
    database.close();
  }
  return JSON.stringify(kept);
}
