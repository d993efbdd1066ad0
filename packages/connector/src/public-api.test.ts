/** Fails when a public name comes or goes unnoticed. Who changes this list changes what other people's programs are written against. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { expect, it } from "vitest";

const VALUES = [
  "OrchestratorClient",
  "SettingsError",
  "StatusTracker",
  "createClaudecodeuiAdapter",
  "createOrchestratorClientFromEnv",
  "createPlainAdapter",
  "findClaudecodeui",
  "initializeOrchestrator",
  "readSettings",
];

const TYPES = [
  "Absence",
  "AccessList",
  "Adapter",
  "ClaudeSession",
  "ClaudecodeuiAdapterOptions",
  "ConnectionErrorCode",
  "FindOptions",
  "Flags",
  "FoundApplication",
  "HeaderList",
  "InitializeOptions",
  "InstanceMetadata",
  "LogLine",
  "OrchestratorClientEvents",
  "OrchestratorClientOptions",
  "Origin",
  "Origins",
  "ReadSettings",
  "RequestParts",
  "ResponseParts",
  "Settings",
  "SettingsSources",
  "Status",
  "StatusReport",
  "WebSocketObserver",
];

/** Methods and accessors of the classes, as programs call them. */
const MEMBERS = {
  OrchestratorClient: ["emit", "log", "refusedStreams", "start", "stop"],
  StatusTracker: ["current", "onChange", "stop"],
};

const source = (name: string) => readFile(path.join(import.meta.dirname, name), "utf8");

it("exports these values", async () => {
  expect(Object.keys(await import("./index.ts")).toSorted()).toEqual(VALUES);
});

it("exports these types, each by its name", async () => {
  const text = await source("index.ts");
  expect(text).not.toMatch(/export \*/);
  const blocks = [...text.matchAll(/export (type )?\{([^}]*)\}/g)];
  const types = blocks.flatMap(([, all, names = ""]) =>
    names
      .split(",")
      .map((name) => name.trim())
      .filter((name) => name !== "" && (all !== undefined || name.startsWith("type ")))
      .map((name) => name.replace(/^type /, "")),
  );
  expect(types.toSorted()).toEqual(TYPES);
});

it.each(Object.entries(MEMBERS))("has a class %s with these members", async (name, members) => {
  const library = await import("./index.ts");
  const { prototype } = library[name as keyof typeof MEMBERS];
  const own = new Set([...namesOf(prototype), ...namesOf(Object.getPrototypeOf(prototype) as object)]);
  expect([...own].toSorted()).toEqual(members);
});

it("exports nothing from the preload, and offers these entry points", async () => {
  expect(await source("preload.ts")).not.toMatch(/^export/m);
  const manifest = JSON.parse(await source("../package.json")) as { exports: object };
  expect(Object.keys(manifest.exports)).toEqual(expect.arrayContaining([".", "./preload", "./package.json"]));
});

/** What a prototype of ours has; Object's and EventEmitter's names are Node's. */
function namesOf(prototype: object): string[] {
  if (prototype === Object.prototype) return [];
  return Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
}
