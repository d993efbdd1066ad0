/** The adapter for claudecodeui: signs its browsers in, and knows what its sessions are doing. */
import { userInfo } from "node:os";
import type { Adapter, RequestParts, WebSocketObserver } from "../adapter.ts";
import { homeFolder, settingsFolder } from "../settings-folder.ts";
import { callApi } from "./api.ts";
import { createCredentialStore } from "./credentials.ts";
import { detectClaudecodeui } from "./detect.ts";
import { readLocalServer } from "./local-server.ts";
import { registryFolder } from "./registry.ts";
import { isHeader, needsToken, rewriteRequest, usesOurToken } from "./rewrite-request.ts";
import { rewriteResponse } from "./rewrite-response.ts";
import type { Ask } from "./session-api.ts";
import { SessionWatch } from "./session-watch.ts";
import { SignIn } from "./sign-in.ts";

export interface ClaudecodeuiAdapterOptions {
  /** Where claudecodeui answers: an origin on this machine. */
  target: string;
  /** The home of the user claudecodeui runs as. Default: this user's. */
  home?: string;
  /** The environment claudecodeui runs with, as far as it is known. Default: this process's. */
  env?: NodeJS.ProcessEnv;
  /** Where to keep the password of a user the connector registers. Default: the connector's settings folder. */
  folder?: string;
}

/** An adapter for the claudecodeui at `target`, which need not run yet. */
export function createClaudecodeuiAdapter(options: ClaudecodeuiAdapterOptions): Adapter {
  return new ClaudecodeuiAdapter(options);
}

class ClaudecodeuiAdapter implements Adapter {
  readonly #target: string;
  readonly #signIn: SignIn;
  readonly #watch: SessionWatch;
  readonly #listeners = new Set<() => void>();
  readonly #noticed = new Set<(message: string) => void>();
  #version: string | undefined;

  constructor(options: ClaudecodeuiAdapterOptions) {
    const { target, env = process.env } = options;
    const home = options.home ?? homeFolder(env);
    const port = Number(new URL(target).port || 80);
    this.#target = target;
    this.#signIn = new SignIn({
      target,
      username: userName(),
      store: createCredentialStore(options.folder ?? settingsFolder(env), port),
      installation: async () => {
        const server = await readLocalServer(home);
        return { env, home, appRoot: server?.port === port ? server.appRoot : undefined };
      },
      notice: (message) => {
        for (const listener of this.#noticed) listener(message);
      },
    });
    this.#watch = new SessionWatch({
      ask: this.#ask,
      registryFolder: registryFolder(home, env),
      onChange: () => {
        for (const listener of this.#listeners) listener();
      },
    });
  }

  get software() {
    return this.#version === undefined ? undefined : { name: "claudecodeui", version: this.#version };
  }

  start(): Promise<void> {
    return this.refresh();
  }

  stop(): Promise<void> {
    this.#watch.stop();
    this.#listeners.clear();
    this.#noticed.clear();
    return Promise.resolve();
  }

  prepareRequest(request: RequestParts): RequestParts | Promise<RequestParts> {
    const token = this.#signIn.current();
    if (token !== undefined || !needsToken(request)) return rewriteRequest(request, token);
    return this.#signIn.token().then((fetched) => rewriteRequest(request, fetched));
  }

  prepareResponse(request: RequestParts, response: { status: number; headers: [string, string][] }) {
    const token = this.#signIn.current();
    const rewritten = rewriteResponse(request, response, (issued) => this.#signIn.adopt(issued));
    if (response.status !== 401 || !usesOurToken(request, token)) return rewritten;
    // The page would sign its person out at this header, though only the connector's token was refused.
    this.#signIn.rejected(token);
    const headers = rewritten.response.headers.filter(([name]) => !isHeader(name, "x-auth-error"));
    return { ...rewritten, response: { ...rewritten.response, headers } };
  }

  observeWebSocket(request: RequestParts): WebSocketObserver | undefined {
    return /^\/ws(?:\?|$)/.test(request.target) ? this.#watch.observe() : undefined;
  }

  sessions() {
    return this.#watch.sessions();
  }

  async refresh(): Promise<void> {
    this.#version = (await detectClaudecodeui(this.#target))?.version ?? this.#version;
    await this.#watch.refresh();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  onNotice(listener: (message: string) => void): () => void {
    this.#noticed.add(listener);
    return () => this.#noticed.delete(listener);
  }

  readonly #ask: Ask = async (path) => {
    const token = await this.#signIn.token();
    if (token === undefined) return undefined;
    const answer = await callApi(this.#target, path, { token }).catch(() => undefined);
    if (answer?.status === 401) this.#signIn.rejected(token);
    return answer;
  };
}

/** claudecodeui wants names of three letters and more. */
function userName(): string {
  try {
    const { username } = userInfo();
    return username.length >= 3 ? username : "owner";
  } catch {
    return "owner";
  }
}
