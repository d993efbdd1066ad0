/**
 * The connector's declarations as they are published. What they take from the protocol, which is bundled, stands beside them, and what no
 * entry leads to goes. TypeScript 7 has no programs that bundle declarations yet; these need little enough of one.
 */
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";

/** The protocol's modules of plain types: none of them needs the schemas' library. */
const PROTOCOL_TYPES = ["errors", "instance-types"];
const PROTOCOL = "@ai-orchestrator/protocol";
const IMPORTED = /\b(?:from|import\()\s*"([^"]+)"/g;

/** `connector` and `protocol` are folders that tsc has written; the first is changed. Throws where types lead to what is not published. */
export function publishTypes(connector: string, protocol: string, entries: readonly string[]): void {
  const copies = path.join(connector, "protocol");
  mkdirSync(copies, { recursive: true });
  for (const name of PROTOCOL_TYPES) {
    cpSync(path.join(protocol, `${name}.d.ts`), path.join(copies, `${name}.d.ts`));
  }
  const all = PROTOCOL_TYPES.map((name) => `export * from "./${name}.js";\n`);
  writeFileSync(path.join(copies, "index.d.ts"), all.join(""));
  const kept = new Set<string>();
  for (const entry of entries) keep(path.join(connector, `${entry}.d.ts`), connector, kept);
  for (const name of readdirSync(connector, { recursive: true, encoding: "utf8" })) {
    const file = path.join(connector, name);
    if (name.endsWith(".d.ts") && !kept.has(file)) rmSync(file);
  }
}

/** Keeps a declaration and all it leads to. */
function keep(file: string, root: string, kept: Set<string>): void {
  if (kept.has(file)) return;
  kept.add(file);
  const from = path.dirname(file);
  const text = readFileSync(file, "utf8").replaceAll(IMPORTED, (whole, name: string) => {
    if (name.startsWith("node:")) return whole;
    const target =
      name === PROTOCOL
        ? path.join(root, "protocol/index.d.ts")
        : path.resolve(from, name.replace(/\.[jt]s$/, ".d.ts"));
    if (name !== PROTOCOL && !name.startsWith(".")) {
      throw new Error(
        `${path.relative(root, file)}: a published type needs ${name}, which is not installed along`,
      );
    }
    keep(target, root, kept);
    const relative = path
      .relative(from, target)
      .replaceAll(path.sep, "/")
      .replace(/\.d\.ts$/, ".js");
    return whole.replace(name, relative.startsWith(".") ? relative : `./${relative}`);
  });
  writeFileSync(file, text);
}
