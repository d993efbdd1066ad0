/** What a program says that embeds the connector. */
import type * as net from "node:net";
import type { Adapter } from "./adapter.ts";

/** Everything is optional: what is not said here, the settings say, or the program's server. */
export interface InitializeOptions {
  /** TCP port of the program's own web server, 1 to 65535. It need not listen yet: the hub is dialled once it does. */
  port?: number | undefined;
  /** The web server's origin instead of its port: an http address on this machine, `http://127.0.0.1:3001`. */
  target?: string | undefined;
  /**
   * The web server itself, `node:http`'s or what a framework's `listen` returns. The client stops as it closes, and where it listens
   * already, its address stands for `port` and `target`. It stays the program's: nothing of it is changed or closed.
   */
  server?: net.Server | undefined;
  /** What is known about the web application. Default: claudecodeui is recognised, anything else is passed through as it is. */
  adapter?: Adapter | undefined;

  /** The hub's origin, `https://hub.example.com`. Naming it or a token asks for a connection, unless a setting says standalone. */
  url?: string | undefined;
  /** An instance's token. Do not write it into code: the config file and `ORCHESTRATOR_TOKEN` are for it. */
  token?: string | undefined;
  /** Who this instance is to the hub, 1 to 128 printable characters. Default: made once for each port, and kept. */
  clientId?: string | undefined;
  /** Shown at the hub: a name for this machine (default: its host name), and the project (default: the current folder). */
  name?: string | undefined;
  project?: string | undefined;
  /** `client` connects, `standalone` does not, whatever the settings say. */
  mode?: "client" | "standalone" | undefined;
  /** Longest pause between two attempts, 500 to 300,000 milliseconds. Default 30,000. */
  reconnectIntervalMs?: number | undefined;
  /** Pause between heartbeats, 5,000 to 45,000 milliseconds. Default 30,000. */
  heartbeatIntervalMs?: number | undefined;

  /** Where `--orchestrator-*` flags are looked for. Default: this program's arguments. */
  argv?: readonly string[] | undefined;
  /** Default: `process.env`. */
  env?: NodeJS.ProcessEnv | undefined;
  /** Called with a line for people whenever something happens to the connection. Default: a line on stderr. */
  log?: ((line: string) => void) | undefined;
}
