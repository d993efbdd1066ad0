/**
 * Chromium's own log of its network: every request of every page, frame, worker and service worker, WebSockets and what the
 * browser asks for by itself included.
 */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Browser } from "playwright-core";
import { launchBrowser } from "../browser.ts";

export interface LoggedBrowser {
  browser: Browser;
  /** Ends the browser, which writes the end of its log; resolves to the address of every request it has made, in order. */
  requests(): Promise<string[]>;
  /** Ends the browser where it still runs, and removes its log. */
  stop(): Promise<void>;
}

interface NetLog {
  constants: { logEventTypes: Record<string, number> };
  events: { type: number; params?: { url?: string } }[];
}

export async function launchLoggedBrowser(): Promise<LoggedBrowser> {
  const folder = await mkdtemp(path.join(tmpdir(), "net-log-"));
  const file = path.join(folder, "log.json");
  const browser = await launchBrowser([`--log-net-log=${file}`]);
  return {
    browser,
    requests: async () => {
      await browser.close();
      const text = await readFile(file, "utf8");
      const log = JSON.parse(text) as NetLog;
      const type = log.constants.logEventTypes["URL_REQUEST_START_JOB"];
      const begun = log.events.filter((event) => event.type === type);
      return begun.flatMap(({ params }) => params?.url ?? []);
    },
    stop: async () => {
      await browser.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}
