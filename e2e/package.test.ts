/** What people install: the packed packages in an empty project, on whatever Node runs npm. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";

const repository = path.resolve(import.meta.dirname, "..");
const project = mkdtempSync(path.join(tmpdir(), "packed-"));
const run = (command: string, ...args: string[]) =>
  execFileSync(command, args, { cwd: project, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] });

beforeAll(() => {
  for (const name of ["protocol", "connector"]) {
    run("npm", "pack", "--silent", "--pack-destination", project, path.join(repository, "packages", name));
  }
  writeFileSync(path.join(project, "package.json"), '{"private":true,"type":"module"}');
  const packed = readdirSync(project).filter((file) => file.endsWith(".tgz"));
  run("npm", "install", "--no-audit", "--no-fund", ...packed.map((file) => `./${file}`));
}, 120_000);
afterAll(() => rmSync(project, { recursive: true, force: true }));

it("installs little: the connector, the protocol and two dependencies", () => {
  const installed = readdirSync(path.join(project, "node_modules")).filter((name) => !name.startsWith("."));
  expect(installed.toSorted()).toEqual(["@ai-orchestrator", "valibot", "ws"]);
});

it("has a command that runs", () => {
  expect(run("npx", "orchestrator", "--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  expect(run("npx", "orchestrator", "--help")).toContain("orchestrator connect");
});

it("has a library that imports, and says where it is wrong", () => {
  writeFileSync(
    path.join(project, "use.js"),
    `import { OrchestratorClient } from "@ai-orchestrator/connector";
     import { parseHubMessage } from "@ai-orchestrator/protocol";
     const metadata = { hostname: "h", project: "p", platform: "linux" };
     const options = { url: "http://hub.localhost:1", token: "t", clientId: "c", metadata };
     try { new OrchestratorClient({ ...options, target: "http://example.com" }); } catch (error) { console.log(error.name); }
     const client = new OrchestratorClient({ ...options, target: "http://127.0.0.1:1" });
     await client.stop();
     console.log(parseHubMessage('{"type":"later"}'));`,
  );
  expect(run(process.execPath, "use.js")).toBe("RangeError\nnull\n");
});

it("ships types and sources of nothing else", () => {
  const files = readdirSync(path.join(project, "node_modules/@ai-orchestrator/connector"), {
    recursive: true,
  });
  const names = files.map(String);
  expect(names).toContain(path.join("dist", "index.d.ts"));
  expect(names.filter((name) => /\.test\.|testing|recordings|src/.test(name))).toEqual([]);
});
