/** The local hub as tests use it: the same code as `npm start`, in a process that can be stopped, killed and started again. */
import { fork, type ChildProcess } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { HubAnswer, HubRequest, TestPerson } from "../packages/hub/local/hub-messages.ts";
import type { HubSettings } from "../packages/hub/local/settings.ts";
import { freePort } from "./port.ts";
import { findProcess, processorMs, residentBytes, signal } from "../packages/hub/local/processes.ts";

export interface TestHub {
  /** `http://hub.localhost:<port>`; Node must connect to 127.0.0.1 and send this host. */
  readonly origin: string;
  readonly port: number;
  readonly stateFolder: string;
  /** A link that signs a browser in once. */
  signInLink(): Promise<string>;
  /** A link that opens setup once; empty where there is nothing to set up. */
  setupLink(): Promise<string>;
  /** A new token for instances. */
  createToken(name?: string): Promise<string>;
  /** Other people, each signed in; the hub lets them in where `GITHUB_SIGN_IN` is `enabled` and `ALLOWED_ORGS` `test:1`. */
  createPeople(count: number): Promise<TestPerson[]>;
  /** What the Worker wrote to its console since the first start. */
  logs(): { level: string; message: string }[];
  /** Bytes that workerd holds now. */
  memory(): number;
  /** The ids of workerd's processes. */
  pids(): readonly number[];
  /** Milliseconds of processor time that workerd has taken. */
  cpuMs(): number;
  /** Ends the hub in good order and removes its state, unless the folder was given. */
  stop(): Promise<void>;
  /** Ends it as a crash would: both the runner and workerd, without a word to anyone. */
  kill(): Promise<void>;
  /** Starts it again, after `kill` or while it runs, with the same port and state. */
  restart(): Promise<void>;
}

interface Running {
  child: ChildProcess;
  origin: string;
  workerdPids: number[];
}

const START_TIMEOUT_MS = 60_000;

export interface TestHubOptions {
  /** Default: a free one. */
  port?: number;
  /** Default: a temporary one. */
  stateFolder?: string;
  /** Settings of the Worker, as people give them by the environment; kept over restarts. */
  settings?: HubSettings;
}

/** Starts a hub that `npm run build` has left. */
export async function startHub(options: TestHubOptions = {}): Promise<TestHub> {
  const { settings = {} } = options;
  const port = options.port ?? (await freePort());
  const stateFolder = options.stateFolder ?? (await mkdtemp(path.join(tmpdir(), "hub-")));
  const log: { level: string; message: string }[] = [];
  let nextId = 1;
  const start = () => launch([String(port), stateFolder], settings, log);
  let running = await start();

  const ask = (request: Omit<HubRequest, "id">) => askHub(running.child, { ...request, id: nextId++ });
  const end = async () => {
    await ask({ ask: "stop" });
    await exited(running.child, () => running.child.kill());
  };
  const kill = async () => {
    await exited(running.child, () => running.child.kill("SIGKILL"));
    for (const pid of running.workerdPids) signal(pid, "SIGKILL");
    // A process that has ended but was not collected yet has no command line any more.
    while (running.workerdPids.some((pid) => findProcess(pid)?.command)) await pause(5);
  };
  return {
    origin: running.origin,
    port,
    stateFolder,
    signInLink: () => ask({ ask: "signInLink" }),
    setupLink: () => ask({ ask: "setupLink" }),
    createToken: (name = "test") => ask({ ask: "createToken", argument: name }),
    createPeople: async (count) => {
      const people = await ask({ ask: "createPeople", argument: String(count) });
      return JSON.parse(people) as TestPerson[];
    },
    logs: () => [...log],
    memory: () => running.workerdPids.reduce((sum, pid) => sum + residentBytes(pid), 0),
    pids: () => running.workerdPids,
    cpuMs: () => running.workerdPids.reduce((sum, pid) => sum + processorMs(pid), 0),
    kill,
    restart: async () => {
      if (running.child.exitCode === null && running.child.signalCode === null) await end();
      running = await start();
    },
    stop: async () => {
      if (running.child.exitCode === null && running.child.signalCode === null) await end();
      if (options.stateFolder === undefined) await rm(stateFolder, { recursive: true, force: true });
    },
  };
}

async function launch(
  args: string[],
  settings: HubSettings,
  log: { level: string; message: string }[],
): Promise<Running> {
  const script = path.resolve(import.meta.dirname, "../packages/hub/local/hub-process.ts");
  const child = fork(script, args, {
    env: { ...process.env, ...settings },
    execArgv: ["--conditions=source"],
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const ready = new Promise<Running>((resolve, reject) => {
    child.on("message", (message: HubAnswer) => {
      if ("log" in message) log.push(message.log);
      if ("ready" in message) resolve({ child, ...message.ready });
    });
    child.once("exit", (code) => {
      reject(new Error(`the hub ended with ${code} before it was ready`));
    });
    setTimeout(() => {
      reject(new Error(`the hub was not ready after ${START_TIMEOUT_MS} ms`));
    }, START_TIMEOUT_MS).unref();
  });
  try {
    return await ready;
  } catch (error) {
    child.kill("SIGKILL");
    throw error;
  }
}

function askHub(child: ChildProcess, request: HubRequest): Promise<string> {
  return new Promise((resolve, reject) => {
    const listen = (message: HubAnswer) => {
      if (!("id" in message) || message.id !== request.id) return;
      child.off("message", listen);
      if ("error" in message) reject(new Error(message.error));
      else resolve(message.value);
    };
    child.on("message", listen);
    child.send(request);
  });
}

function exited(child: ChildProcess, end: () => void): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  return new Promise((resolve) => {
    child.once("exit", () => {
      resolve();
    });
    end();
  });
}

function pause(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
