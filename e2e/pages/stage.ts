/** What browser tests begin with: a hub, a Chromium, people signed in at the hub, and instances that do as they are told. */
import { once } from "node:events";
import { createPlainAdapter, OrchestratorClient, type Adapter } from "@ai-orchestrator/connector";
import type { ClaudeSession, SessionState } from "@ai-orchestrator/protocol";
import type { Browser, BrowserContext, BrowserContextOptions, Page } from "playwright-core";
import type { HubSettings } from "../../packages/hub/local/settings.ts";
import { launchBrowser } from "../browser.ts";
import { startHub, type TestHub } from "../hub.ts";
import { Watch } from "./watch.ts";

export interface Stage {
  hub: TestHub;
  browser: Browser;
  /** A browser profile of its own, nobody signed in. */
  profile(options?: BrowserContextOptions): Promise<BrowserContext>;
  /** A new profile that is signed in at the hub, with the dashboard open, watched and connected. */
  dashboard(options?: BrowserContextOptions): Promise<Dashboard>;
  /** A connected instance. */
  instance(options?: InstanceOptions): Promise<Puppet>;
  /** An instance that has begun to connect, whether or not it is let in. */
  puppet(options: InstanceOptions & { token: string }): Puppet;
  /** Ends every instance and profile that a test left. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

export interface Dashboard {
  page: Page;
  context: BrowserContext;
  watch: Watch;
}

export interface InstanceOptions {
  clientId?: string;
  hostname?: string;
  project?: string;
  /** The web app behind it; without one nothing answers there. */
  target?: string;
  token?: string;
  sessions?: ClaudeSession[];
  /** Whose port the hub's is, is not looked up: that reads the machine's table of connections, which a thousand make long. */
  allowOtherUser?: boolean;
  /** Longest pause between two attempts, 1000 without this. */
  reconnectIntervalMs?: number;
}

/** Nothing listens there. */
const NOWHERE = "http://127.0.0.1:9";

/** How long a page may take for anything, on a machine that is busy. */
const PATIENCE_MS = 10_000;

/** One running stage for the tests of a file. */
export async function startStage(settings: HubSettings = {}): Promise<Stage> {
  const [hub, browser] = await Promise.all([startHub({ settings }), launchBrowser()]);
  const puppets = new Set<Puppet>();
  const contexts = new Set<BrowserContext>();
  const profile = async (options: BrowserContextOptions = {}) => {
    const context = await browser.newContext(options);
    context.setDefaultTimeout(PATIENCE_MS);
    contexts.add(context);
    return context;
  };
  const clear = async () => {
    await Promise.all([...contexts].map((context) => context.close()));
    await Promise.all([...puppets].map((one) => one.stop()));
    contexts.clear();
    puppets.clear();
  };
  const puppet = (options: InstanceOptions & { token: string }) => {
    const created = new Puppet(hub, options);
    puppets.add(created);
    created.client.start();
    return created;
  };
  return {
    hub,
    browser,
    puppet,
    profile,
    dashboard: async (options) => {
      return openDashboard(await profile(options), await hub.signInLink());
    },
    instance: async (options = {}) => {
      const created = puppet({ ...options, token: options.token ?? (await hub.createToken()) });
      await created.connected;
      return created;
    },
    clear,
    stop: async () => {
      await clear();
      await browser.close();
      await hub.stop();
    },
  };
}

/** Opens a dashboard in a new tab; resolves once its WebSocket is open and has told it the whole truth. */
export async function openDashboard(context: BrowserContext, url: string): Promise<Dashboard> {
  const page = await context.newPage();
  const watch = await Watch.start(page);
  await page.goto(url);
  await page.waitForFunction(() => document.body.dataset["told"] !== undefined);
  return { page, context, watch };
}

let count = 0;

/** An instance whose sessions a test decides. */
export class Puppet {
  readonly client: OrchestratorClient;
  readonly clientId: string;
  /** Resolves with the first connection. */
  readonly connected: Promise<void>;
  /** Known once it is connected. */
  label = "";
  /** Its origin, without a slash at the end. */
  origin = "";
  #sessions: ClaudeSession[];
  readonly #listeners = new Set<() => void>();

  constructor(hub: TestHub, options: InstanceOptions & { token: string }) {
    count++;
    const { hostname = "test-host", project = `/home/dev/project-${count}`, sessions = [] } = options;
    this.clientId = options.clientId ?? `puppet-${count}`;
    this.#sessions = sessions;
    this.client = new OrchestratorClient({
      url: hub.origin,
      token: options.token,
      clientId: this.clientId,
      target: options.target ?? NOWHERE,
      metadata: { hostname, project, platform: "linux" },
      adapter: this.#adapter(),
      reconnectIntervalMs: options.reconnectIntervalMs ?? 1000,
      allowOtherUser: { hub: options.allowOtherUser === true },
    });
    this.connected = this.#connect();
  }

  /** The card's selector on a dashboard. */
  get card(): string {
    return `#card-${this.label}`;
  }

  stop(): Promise<void> {
    return this.client.stop();
  }

  /** From now on it has these sessions. */
  set(...sessions: ClaudeSession[]): void {
    this.#sessions = sessions;
    for (const listener of this.#listeners) listener();
  }

  async #connect(): Promise<void> {
    const [{ label, url }] = (await once(this.client, "connected")) as [{ label: string; url: string }];
    this.label = label;
    this.origin = url;
  }

  #adapter(): Adapter {
    return {
      ...createPlainAdapter(),
      software: { name: "claudecodeui", version: "1.37.3" },
      sessions: () => this.#sessions,
      onChange: (listener) => {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
      },
    };
  }
}

/** A Claude session that has been in this state for as many milliseconds. */
export function session(state: SessionState, title = "Fix the flaky test", agoMs = 0): ClaudeSession {
  return { id: "session-1", title, project: "/home/dev/project", state, since: Date.now() - agoMs };
}
