/** Watches one page from before its first script: what it asks for, where it goes, and everything it complains about. */
import type { Page, WebSocket } from "playwright-core";

export class Watch {
  /** `GET <url>` of everything asked for over HTTP, documents included, icons of the tab not. */
  readonly requests: string[] = [];
  readonly sockets: WebSocket[] = [];
  /** URL of each document or same-document step of the top frame. */
  readonly navigations: string[] = [];
  /** Errors of scripts and console, and violations of the Content-Security-Policy. */
  readonly complaints: string[] = [];

  static async start(page: Page): Promise<Watch> {
    const watch = new Watch();
    page.on("request", (request) => {
      if (!isTabIcon(request.url())) watch.requests.push(`${request.method()} ${request.url()}`);
    });
    page.on("websocket", (socket) => watch.sockets.push(socket));
    page.on("framenavigated", (frame) => {
      if (frame === page.mainFrame()) watch.navigations.push(frame.url());
    });
    page.on("pageerror", (error) => watch.complaints.push(String(error)));
    page.on("console", (message) => {
      if (["error", "warning"].includes(message.type()))
        watch.complaints.push(`${message.text()} (${message.location().url})`);
    });
    await page.exposeFunction("complain", (text: string) => watch.complaints.push(text));
    await page.addInitScript(() => {
      document.addEventListener("securitypolicyviolation", (event) => {
        const { complain } = window as unknown as { complain: (text: string) => void };
        complain(`CSP: ${event.violatedDirective} ${event.blockedURI}`);
      });
      // The hub's first word on the socket is the whole truth; the tests wait for it.
      document.addEventListener("htmx:ws:after:message:incoming", () => {
        document.body.dataset["told"] = "yes";
      });
    });
    return watch;
  }

  /** Forgets what was asked for and where the page went, so that what follows stands alone. */
  reset(): void {
    this.requests.length = 0;
    this.sockets.length = 0;
    this.navigations.length = 0;
  }
}

/** A browser asks for it when the page names another, as the dashboard does when somebody is needed. */
export function isTabIcon(url: string): boolean {
  return /\/icon(?:-needs)?\.svg$/.test(url);
}
