/** A browser as far as the hub's pages need one: it keeps cookies, and goes where it is told only when it is told to. */
import { ask, HUB } from "./hub.ts";

let count = 0;

export class TestBrowser {
  readonly cookies = new Map<string, string>();
  /** A network of its own, so that no test uses up another's attempts. */
  readonly #ip = `2001:db8:${(++count).toString(16)}::1`;

  /** Opens a page of the hub, by its path or whole address, as a person would. */
  open(address: string | URL, headers: Record<string, string> = {}): Promise<Response> {
    return this.#ask(address, { headers });
  }

  /** Sends a form of one of the hub's own pages. */
  send(address: string | URL, form: Record<string, string>): Promise<Response> {
    const headers = { "content-type": "application/x-www-form-urlencoded" };
    return this.#ask(address, { method: "POST", headers, body: new URLSearchParams(form).toString() });
  }

  /** Opens what an answer redirects to. */
  follow(response: Response): Promise<Response> {
    const location = response.headers.get("location");
    if (location === null) throw new Error(`no redirect: ${response.status}`);
    return this.open(location);
  }

  /** What the hub has set, by the end of the cookie's name. */
  cookie(name: string): string | undefined {
    return this.cookies.get(`__Host-orchestrator-${name}`);
  }

  async #ask(
    address: string | URL,
    request: { method?: string; headers: Record<string, string>; body?: string },
  ): Promise<Response> {
    const { pathname, search, origin } = new URL(address, HUB);
    if (origin !== HUB) throw new Error(`not at the hub: ${origin}`);
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await ask(`${pathname}${search}`, {
      ...request,
      headers: { cookie, "cf-connecting-ip": this.#ip, ...request.headers },
    });
    for (const line of response.headers.getSetCookie()) this.#keep(line);
    return response;
  }

  #keep(setCookie: string): void {
    const [pair = ""] = setCookie.split(";");
    const name = pair.slice(0, pair.indexOf("="));
    if (/;\s*max-age=0/i.test(setCookie)) this.cookies.delete(name);
    else this.cookies.set(name, pair.slice(pair.indexOf("=") + 1));
  }
}
