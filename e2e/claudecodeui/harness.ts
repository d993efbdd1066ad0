/** A real claudecodeui with a real Claude Code that talks to a fake Anthropic: in a home of its own, on loopback, offline. */
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { installClaudecodeui, startClaudecodeui } from "../../packages/hub/local/claudecodeui.ts";
import { freePort } from "../port.ts";
import { type FakeAnthropic, startFakeAnthropic } from "./fake-anthropic.ts";

export interface RealClaudecodeui {
  /** `http://127.0.0.1:<port>` */
  origin: string;
  port: number;
  /** The home it runs in: `.cloudcli`, `.claude` and `.config` are below it. */
  home: string;
  /** An empty folder to work in. */
  project: string;
  anthropic: FakeAnthropic;
  /** What a connector beside it, or a `claude` in a terminal, must have in its environment. */
  environment: Record<string, string>;
  /** The Claude Code it came with. */
  claude: string;
  /** What it has printed so far. */
  output(): string;
  /** Ends it and starts it again, in the same home at the same port. */
  restart(): Promise<void>;
  /** Ends it, and removes its home unless that was given. */
  stop(): Promise<void>;
}

const API_KEY = "dummy-key";
/** claudecodeui opens no project below `/tmp`. */
const TEMPORARY = process.platform === "linux" ? "/var/tmp" : tmpdir();

/** Installs it where it is missing (about two minutes), and starts it. */
export async function startRealClaudecodeui(
  options: {
    home?: string;
    port?: number;
    /** Added to its own, for its process alone. */
    environment?: Record<string, string>;
    preload?: readonly string[];
  } = {},
): Promise<RealClaudecodeui> {
  const installed = await installClaudecodeui({ report: (line) => process.stderr.write(`${line}\n`) });
  if (installed.claude === undefined)
    throw new Error("this platform's Claude Code did not come with claudecodeui");
  const home = options.home ?? (await mkdtemp(path.join(TEMPORARY, "claudecodeui-")));
  const project = path.join(home, "project");
  await mkdir(project, { recursive: true });
  await answerFirstQuestions(home, project);
  const anthropic = await startFakeAnthropic();
  const environment = {
    ...offlineEnvironment(home, anthropic.origin),
    // Its terminal starts `claude` by this name.
    PATH: [path.dirname(installed.claude), process.env["PATH"]].join(path.delimiter),
  };
  const port = options.port ?? (await freePort());
  let printed = "";
  const removeHome = async () => {
    await anthropic.stop();
    if (options.home === undefined) await rm(home, { recursive: true, force: true, maxRetries: 5 });
  };
  const start = () =>
    startClaudecodeui(installed, {
      port,
      environment: { ...environment, ...options.environment, CLAUDE_CLI_PATH: installed.claude ?? "" },
      ...(options.preload && { preload: options.preload }),
      onOutput: (text) => (printed += text),
    });
  try {
    let running = await start();
    return {
      origin: running.origin,
      port,
      home,
      project,
      anthropic,
      environment,
      claude: installed.claude,
      output: () => printed,
      restart: async () => {
        await running.stop();
        running = await start();
      },
      stop: async () => {
        await running.stop();
        await removeHome();
      },
    };
  } catch (error) {
    await removeHome();
    throw error;
  }
}

/** What Claude Code asks in a terminal when it runs for the first time: look, key, folder. */
async function answerFirstQuestions(home: string, project: string): Promise<void> {
  const answers = {
    hasCompletedOnboarding: true,
    theme: "dark",
    customApiKeyResponses: { approved: [API_KEY], rejected: [] },
    projects: { [project]: { hasTrustDialogAccepted: true } },
  };
  await writeFile(path.join(home, ".claude.json"), JSON.stringify(answers));
}

function offlineEnvironment(home: string, anthropic: string): Record<string, string> {
  return {
    HOME: home,
    XDG_CONFIG_HOME: path.join(home, ".config"),
    DATABASE_PATH: path.join(home, ".cloudcli", "auth.db"),
    ANTHROPIC_BASE_URL: anthropic,
    ANTHROPIC_API_KEY: API_KEY,
    DISABLE_TELEMETRY: "1",
    DISABLE_ERROR_REPORTING: "1",
    DISABLE_AUTOUPDATER: "1",
    CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: "1",
  };
}
