/** The hub on workerd, in this process's care: what `npm start` and the tests both run. */
import { readFileSync, rmSync } from "node:fs";
import { get } from "node:http";
import path from "node:path";
import {
  Miniflare,
  NoOpLog,
  convertV4MiniflareOptions,
  type V4WorkerdStructuredLog,
  type V4WorkerOptions,
} from "miniflare";
import { errorMeaning } from "../src/error-codes.ts";
import { routes } from "../src/routes.ts";
import { claudecodeuiCommand } from "./claudecodeui.ts";
import { databaseWorker } from "./database.ts";
import { applyMigrations } from "./migrations.ts";
import { withoutSignalHandlers } from "./signals.ts";
import { localOrigin } from "./local-origin.ts";
import { built, hubPackage, offline } from "./paths.ts";
import { loopbackAddresses } from "./port.ts";
import { withoutQueries } from "../src/redact.ts";
import type { HubSettings } from "./settings.ts";

export interface HubOptions {
  port: number;
  /** Folder for the database, the objects' storage and the secrets; must exist. */
  stateFolder: string;
  /** At least 32 random bytes in base64url. */
  hubSecret: string;
  /** Settings of the Worker beside those of every local hub. */
  settings?: HubSettings;
  /** Called with each line the Worker writes to its console, without queries, with its level (`log`, `warn`, `error`, …). */
  onLog?: (level: string, message: string) => void;
}

export interface Hub {
  /** Origin of the dashboard, `http://hub.localhost:<port>`. */
  origin: string;
  db: D1Database;
  /** True while signing in with GitHub waits to be set up by who has a setup link. */
  isSetupOpen(): Promise<boolean>;
  /** Ends workerd; resolves when it is gone. */
  close(): Promise<void>;
}

/** Starts the hub that `build` has left and brings its database up to date; rejects when it does not start. */
export async function openHub(options: HubOptions): Promise<Hub> {
  Object.assign(process.env, offline);
  const addresses = await loopbackAddresses();
  // Copies of instances' files, of which nothing takes out what is old.
  rmSync(path.join(resourceFolder(options), "cache"), { recursive: true, force: true });
  // Miniflare would end the process with 130 at Ctrl-C, before anything else can be ended in order.
  const { workers, connect, ...shared } = miniflareOptions(options, addresses);
  const miniflare = withoutSignalHandlers(
    () => new Miniflare(convertV4MiniflareOptions({ ...shared, workers })),
  );
  try {
    await miniflare.ready;
    const db = connect(miniflare);
    await applyMigrations(db, path.join(hubPackage, "migrations"));
    const origin = localOrigin(options.port);
    return {
      origin,
      db,
      // Without a code the page is refused; once setup is closed there is none.
      isSetupOpen: async () => (await ask(origin, routes.setup)) === errorMeaning("code_expired").status,
      close: () => miniflare.dispose(),
    };
  } catch (error) {
    await miniflare.dispose();
    throw error;
  }
}

/** The hub's own status for a page, asked as from outside; Node does not find its name. */
function ask(origin: string, page: string): Promise<number | undefined> {
  const { host, port } = new URL(origin);
  return new Promise((resolve, reject) => {
    get({ host: "127.0.0.1", port, path: page, headers: { host } }, (response) => {
      response.resume();
      resolve(response.statusCode);
    }).once("error", reject);
  });
}

/** The folder in which wrangler's own commands look with `--persist-to <state folder>`. */
function resourceFolder({ stateFolder }: HubOptions): string {
  return path.join(stateFolder, "v3");
}

/** For a shell, where the text needs it. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", String.raw`'\''`)}'`;
}

function miniflareOptions(options: HubOptions, addresses: string[]) {
  const worker = hubWorker(options, addresses);
  const { options: database, connect } = databaseWorker(worker.d1Databases ?? {});
  return {
    workers: [worker, database],
    connect,
    rootPath: path.dirname(built.worker),
    host: "127.0.0.1",
    port: 0,
    resourcePersistencePath: resourceFolder(options),
    cf: false,
    telemetry: { enabled: false },
    log: new NoOpLog(),
    handleStructuredLogs: ({ level, message }: V4WorkerdStructuredLog) =>
      options.onLog?.(level, withoutQueries(message)),
  };
}

function hubWorker(options: HubOptions, addresses: string[]): V4WorkerOptions {
  const worker = JSON.parse(readFileSync(built.options, "utf8")) as V4WorkerOptions & {
    bindings: Record<string, unknown>;
    assets: { directory: string };
  };
  return {
    ...worker,
    name: "hub",
    modules: true,
    scriptPath: built.worker,
    // Static files too, because nothing else compresses them here.
    assets: { ...worker.assets, run_worker_first: true, routerConfig: { has_user_worker: true } },
    bindings: {
      ...worker.bindings,
      INSTANCE_HOST: `{label}.hub.localhost:${options.port}`,
      PLAN: "local",
      ...options.settings,
      HUB_ORIGIN: localOrigin(options.port),
      HUB_SECRET: options.hubSecret,
      LOCAL_SIGN_IN: "enabled",
      COMPRESS_ANSWERS: "enabled",
      CONNECT_COMMAND: `node ${quoted(built.connectorCli)}`,
      START_COMMAND: claudecodeuiCommand,
    },
    // Browsers may try `::1` for `hub.localhost` first: what the hub left free there, another user could take.
    // By its name, because whatever went to the default export would cross two Workers more, which cost a third of a request.
    unsafeDirectSockets: addresses.map((host) => ({ host, port: options.port, entrypoint: "direct" })),
  };
}
