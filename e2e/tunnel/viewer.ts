/** A browser without a screen: cookies per host, plain requests and WebSockets to the hub and its instances. */
import { once } from "node:events";
import * as http from "node:http";
import { WebSocket, type ClientOptions } from "ws";

export interface Answer {
  status: number;
  headers: http.IncomingHttpHeaders;
  rawHeaders: string[];
  body: Buffer;
}

export interface RequestOptions {
  method?: string;
  headers?: Record<string, string | string[]>;
  body?: Buffer | string | undefined;
  /** Bytes of header fields to accept. */
  maxHeaderSize?: number;
}

export class Viewer {
  readonly #cookies = new Map<string, Map<string, string>>();

  /** Begins a request; the answer's body is the caller's to read. */
  async open(url: string, options: RequestOptions = {}): Promise<http.IncomingMessage> {
    const request = this.begin(url, options);
    request.end(options.body);
    const [answer] = (await once(request, "response")) as [http.IncomingMessage];
    return answer;
  }

  /** A request whose body the caller writes. */
  begin(
    url: string,
    { method = "GET", headers = {}, maxHeaderSize }: RequestOptions = {},
  ): http.ClientRequest {
    const address = new URL(url);
    const request = http.request({
      host: "127.0.0.1",
      port: address.port,
      method,
      path: address.pathname + address.search,
      headers: { host: address.host, ...this.#identity(address, method), ...headers },
      agent: false,
      maxHeaderSize,
    });
    request.on("response", (answer) => this.#keepCookies(address.host, answer));
    return request;
  }

  async fetch(url: string, options: RequestOptions = {}): Promise<Answer> {
    const answer = await this.open(url, options);
    const chunks: Buffer[] = [];
    for await (const chunk of answer as AsyncIterable<Buffer>) chunks.push(chunk);
    return {
      status: answer.statusCode ?? 0,
      headers: answer.headers,
      rawHeaders: answer.rawHeaders,
      body: Buffer.concat(chunks),
    };
  }

  /** Navigates as a person would: follows redirects and says that it wants a page. */
  async navigate(url: string): Promise<Answer & { url: string }> {
    let address = url;
    for (let hops = 0; hops < 10; hops++) {
      const headers = { accept: "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document" };
      const answer = await this.fetch(address, { headers });
      const { location } = answer.headers;
      if (location === undefined) return { ...answer, url: address };
      address = new URL(location, address).href;
    }
    throw new Error("too many redirects");
  }

  webSocket(url: string, protocols: string[] = [], options: ClientOptions = {}): WebSocket {
    const address = new URL(url);
    const { host } = address;
    const origin = `http://${host}`;
    const cookie = this.cookieHeader(host);
    address.hostname = "127.0.0.1";
    address.protocol = "ws:";
    // As long as Chromium waits for the server to end the TCP connection after the closing handshake.
    const asBrowser = { perMessageDeflate: false, closeTimeout: 2000 };
    const headers = { host, origin, ...(cookie === "" ? {} : { cookie }), ...options.headers };
    return new WebSocket(address, protocols, { ...asBrowser, ...options, headers });
  }

  cookieHeader(host: string): string {
    return [...(this.#cookies.get(host) ?? [])].map(([name, value]) => `${name}=${value}`).join("; ");
  }

  #identity(address: URL, method: string): Record<string, string> {
    const cookie = this.cookieHeader(address.host);
    const origin = ["GET", "HEAD"].includes(method) ? {} : { origin: address.origin };
    return cookie === "" ? origin : { cookie, ...origin };
  }

  #keepCookies(host: string, answer: http.IncomingMessage): void {
    const jar = this.#cookies.get(host) ?? new Map<string, string>();
    this.#cookies.set(host, jar);
    for (const line of answer.headers["set-cookie"] ?? []) {
      const [pair = ""] = line.split(";");
      const [name = "", ...value] = pair.split("=");
      if (/max-age=0/i.test(line)) jar.delete(name);
      else jar.set(name, value.join("="));
    }
  }
}
