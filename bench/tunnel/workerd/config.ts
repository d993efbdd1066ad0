/** The configuration with which plain workerd runs the built hub. */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { transformSync } from "esbuild";
import { built } from "../../../packages/hub/local/paths.ts";
import { randomSecret } from "../../../packages/hub/src/secrets.ts";

/** The parts of the build's options that are read here. */
interface WorkerOptions {
  compatibilityDate: string;
  compatibilityFlags: string[];
  durableObjects: Record<string, { className: string }>;
  ratelimits: Record<string, unknown>;
  r2Buckets: Record<string, unknown>;
  d1Databases: Record<string, unknown>;
  bindings: Record<string, string>;
  assets: { binding: string };
}

export interface Ports {
  hub: number;
  database: number;
}

/** Writes it into `folder`, with all that it names, and returns its path. */
export function writeConfig(folder: string, ports: Ports): string {
  const options = JSON.parse(readFileSync(built.options, "utf8")) as WorkerOptions;
  mkdirSync(path.join(folder, "storage"));
  copyFileSync(built.worker, path.join(folder, "worker.js"));
  const standIns = readFileSync(path.join(import.meta.dirname, "../stand-ins/stand-ins.ts"), "utf8");
  writeFileSync(path.join(folder, "stand-ins.js"), transformSync(standIns, { loader: "ts" }).code);
  const file = path.join(folder, "config.capnp");
  writeFileSync(file, configuration(options, folder, ports));
  return file;
}

function configuration(options: WorkerOptions, folder: string, ports: Ports): string {
  const classes = Object.values(options.durableObjects).map(({ className }) => className);
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "hub", worker = .hub),
    (name = "stand-ins", worker = .standIns),
    (name = "storage", disk = (path = ${text(path.join(folder, "storage"))}, writable = true)),
    (name = "internet", network = (allow = [])),
  ],
  sockets = [
    (name = "hub", address = "127.0.0.1:${ports.hub}", http = (), service = "hub"),
    (name = "database", address = "127.0.0.1:${ports.database}", http = (), service = ${standIn("D1")}),
  ],
);
const hub :Workerd.Worker = (
  modules = [(name = "worker.js", esModule = embed "worker.js")],
  compatibilityDate = ${text(options.compatibilityDate)},
  compatibilityFlags = [${options.compatibilityFlags.map(text).join(", ")}],
  bindings = [
    ${bindings(options, ports).join(",\n    ")}
  ],
  ${objects(classes)}
);
const standIns :Workerd.Worker = (
  modules = [(name = "stand-ins.js", esModule = embed "stand-ins.js")],
  compatibilityDate = ${text(options.compatibilityDate)},
  bindings = [(name = "DATABASE", durableObjectNamespace = "Database")],
  ${objects(["Database"])}
);
`;
}

function bindings(options: WorkerOptions, ports: Ports): string[] {
  const origin = `http://hub.localhost:${ports.hub}`;
  const variables = {
    ...options.bindings,
    HUB_ORIGIN: origin,
    INSTANCE_HOST: `{label}.hub.localhost:${ports.hub}`,
    HUB_SECRET: randomSecret(),
    LOCAL_SIGN_IN: "enabled",
  };
  const database = `(moduleName = "cloudflare-internal:d1-api", innerBindings = [(name = "fetcher", service = ${standIn("D1")})])`;
  return [
    ...Object.entries(variables).map(([name, value]) => binding(name, `text = ${text(value)}`)),
    ...Object.entries(options.durableObjects).map(([name, { className }]) =>
      binding(name, `durableObjectNamespace = ${text(className)}`),
    ),
    ...Object.keys(options.ratelimits).map((name) => binding(name, `service = ${standIn("RateLimit")}`)),
    ...Object.keys(options.r2Buckets).map((name) => binding(name, `service = ${standIn("Archive")}`)),
    ...Object.keys(options.d1Databases).map((name) => binding(name, `wrapped = ${database}`)),
    binding(options.assets.binding, `service = "stand-ins"`),
  ];
}

function objects(classes: readonly string[]): string {
  const namespaces = classes.map(
    (name) => `(className = ${text(name)}, uniqueKey = ${text(name)}, enableSql = true)`,
  );
  return `durableObjectNamespaces = [${namespaces.join(", ")}],\n  durableObjectStorage = (localDisk = "storage"),`;
}

function standIn(entrypoint: string): string {
  return `(name = "stand-ins", entrypoint = ${text(entrypoint)})`;
}

function binding(name: string, value: string): string {
  return `(name = ${text(name)}, ${value})`;
}

/** A string of Cap'n Proto's language, which quotes as JSON does. */
function text(value: string): string {
  return JSON.stringify(value);
}
