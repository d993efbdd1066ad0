/** What people install: the packed connector in an empty project, on each line of Node that it is for. */
import { execFile, execFileSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { promisify } from "node:util";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasOtherNodes, npm, otherNode, type NodeLine } from "./other-node.ts";

const repository = path.resolve(import.meta.dirname, "..");
const connector = path.join(repository, "packages/connector");
const folder = mkdtempSync(path.join(tmpdir(), "packed-"));
const lines: NodeLine[] = hasOtherNodes ? [20, 22, 24] : [24];
const start = promisify(execFile);
let tarball: string;

beforeAll(() => {
  npm(process.execPath, folder, "pack", "--silent", "--pack-destination", folder, connector);
  tarball = path.join(folder, readdirSync(folder).find((file) => file.endsWith(".tgz")) ?? "");
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function filesIn(root: string): string[] {
  const names = readdirSync(root, { recursive: true, encoding: "utf8" });
  return names.filter((name) => statSync(path.join(root, name)).isFile());
}

/** An empty project with the connector in it. */
function install(name: string, node: string): string {
  const project = path.join(folder, name);
  mkdirSync(project);
  writeFileSync(path.join(project, "package.json"), '{"private":true,"type":"module"}');
  npm(node, project, "install", "--no-audit", "--no-fund", "--prefer-offline", tarball);
  return project;
}

describe.each(lines)("on Node %i", (line) => {
  let node: string;
  let project: string;
  /** Of somebody with settings of nobody. */
  const env = { PATH: process.env["PATH"], HOME: folder };
  const run = async (...args: string[]) => (await start(node, args, { cwd: project, env })).stdout;

  beforeAll(() => {
    node = otherNode(line);
    project = install(`node-${line}`, node);
  }, 180_000);

  it("is that Node", async () => {
    expect(await run("-p", "process.versions.node")).toMatch(new RegExp(`^${line}\\.`));
  });

  it("installs less than 1 MB and fewer than 5 packages with it: ws alone", () => {
    const modules = path.join(project, "node_modules");
    const packages = filesIn(modules).filter((name) => path.basename(name) === "package.json");
    expect(packages.toSorted()).toEqual(["@ai-orchestrator/connector/package.json", "ws/package.json"]);
    const bytes = filesIn(modules).reduce((sum, name) => sum + statSync(path.join(modules, name)).size, 0);
    console.log(
      `Node ${line}: ${Math.round(bytes / 1000)} KB installed, 1 package along, ${Math.round(statSync(tarball).size / 1000)} KB to fetch`,
    );
    expect(bytes).toBeLessThan(1_000_000);
  });

  it("has a command that runs", async () => {
    const command = path.join(project, "node_modules/.bin/orchestrator");
    expect(await run(command, "--version")).toMatch(/^\d+\.\d+\.\d+\n$/);
    expect(await run(command, "--help")).toContain("orchestrator connect");
    const wrong = start(node, [command, "connect", "--url", "http://hub.example.com"], { cwd: project, env });
    await expect(wrong).rejects.toMatchObject({
      code: 2,
      stderr: expect.stringContaining("must be https://") as string,
    });
  });

  it("has a library that imports, says where it is wrong, and leaves nothing behind", async () => {
    writeFileSync(
      path.join(project, "use.js"),
      `import { initializeOrchestrator, OrchestratorClient } from "@ai-orchestrator/connector";
       const metadata = { hostname: "h", project: "p", platform: "linux" };
       const options = { url: "http://hub.localhost:1", token: "t", clientId: "c", metadata };
       try { new OrchestratorClient({ ...options, target: "http://example.com" }); } catch (error) { console.log(error.name); }
       const client = new OrchestratorClient({ ...options, target: "http://127.0.0.1:1" });
       const lost = new Promise((resolve) => client.once("disconnected", resolve));
       client.start();
       console.log((await lost).message);
       await client.stop();
       console.log(await initializeOrchestrator({ port: 1 }));`,
    );
    expect(await run("use.js")).toBe("RangeError\nnothing answers there\nnull\n");
  });

  it("is silent as a preload where nobody asked for a connection", async () => {
    expect(await run("--import", "@ai-orchestrator/connector/preload", "-p", "'its own'")).toBe("its own\n");
  });
});

describe("its types", () => {
  it.each([
    ["node16", "node16"],
    ["nodenext", "nodenext"],
    ["esnext", "bundler"],
    ["preserve", "bundler"],
  ])(
    "resolve in a project with module %s and moduleResolution %s, libraries checked too",
    (module, moduleResolution) => {
      const project = path.join(folder, `node-${lines[0]}`);
      cpSync(path.join(import.meta.dirname, "package/consumer.ts"), path.join(project, "consumer.ts"));
      const compilerOptions = {
        noEmit: true,
        strict: true,
        exactOptionalPropertyTypes: true,
        skipLibCheck: false,
        target: "es2022",
        module,
        moduleResolution,
        typeRoots: [path.join(repository, "node_modules/@types")],
        types: ["node"],
      };
      writeFileSync(
        path.join(project, "tsconfig.json"),
        JSON.stringify({ compilerOptions, files: ["consumer.ts"] }),
      );
      const tsc = path.join(repository, "node_modules/typescript/bin/tsc");
      // What it finds wrong it prints.
      expect(output(tsc, "-p", project)).toBe("");
    },
  );

  it("need neither the schemas' library nor what is not published", () => {
    const dist = path.join(folder, `node-${lines[0]}`, "node_modules/@ai-orchestrator/connector/dist");
    const declarations = filesIn(dist).filter((name) => name.endsWith(".d.ts"));
    expect(declarations).toContain("index.d.ts");
    const imported = declarations.flatMap((name) =>
      [...readFileSync(path.join(dist, name), "utf8").matchAll(/\bfrom "([^"]+)"/g)].map(
        ([, from = ""]) => from,
      ),
    );
    expect(imported.filter((from) => !/^(?:\.|node:)/.test(from))).toEqual([]);
  });
});

describe("the package", () => {
  it("holds what is built, its schema, and nothing of the sources", () => {
    const installed = path.join(folder, `node-${lines[0]}`, "node_modules/@ai-orchestrator/connector");
    const names = filesIn(installed);
    expect(names).toEqual(
      expect.arrayContaining([
        "LICENSE",
        "README.md",
        "dist/licenses.txt",
        "schema/orchestrator.schema.json",
      ]),
    );
    expect(names.filter((name) => /\.test\.|testing|recordings|src|\.map$|built-from/.test(name))).toEqual(
      [],
    );
    expect(readFileSync(path.join(installed, "dist/licenses.txt"), "utf8")).toMatch(/^uqr\n[^]*\nvalibot\n/);
  });

  it.each(["connector", "protocol"])("is clean to publint: %s", async (name) => {
    const pkgDir = path.join(repository, "packages", name);
    const { messages, pkg } = await publint({ pkgDir, strict: true, pack: "npm" });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  it("is clean to attw, as a package of modules", () => {
    const attw = path.join(repository, "node_modules/@arethetypeswrong/cli/dist/index.js");
    const printed = output(attw, tarball, "--profile", "esm-only", "--format", "json");
    const { analysis, problems = {} } = JSON.parse(printed) as {
      analysis: { entrypoints: object };
      problems?: Record<string, { resolutionKind?: string }[]>;
    };
    expect(Object.keys(analysis.entrypoints)).toEqual([
      ".",
      "./preload",
      "./schema/orchestrator.schema.json",
      "./package.json",
    ]);
    // The profile leaves out how CommonJS finds it, but not from what it prints: `require` of a module works since Node 20.19.
    const left = Object.values(problems)
      .flat()
      .filter(({ resolutionKind = "" }) => !["node10", "node16-cjs"].includes(resolutionKind));
    expect(left).toEqual([]);
  });
});

function output(script: string, ...args: string[]): string {
  try {
    return execFileSync(process.execPath, [script, ...args], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe"],
    });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    return `${stdout}${stderr}`;
  }
}
