import { createHash } from "node:crypto";
import { readFileSync, readdirSync, statSync } from "node:fs";
import path from "node:path";

/** SHA-256, in hexadecimal, of the names and contents of files and of everything below folders; tests do not count. */
export function contentHash(files: string[]): string {
  const hash = createHash("sha256");
  for (const file of files.flatMap(expand)) {
    hash
      .update(`${path.basename(file)}\0`)
      .update(readFileSync(file))
      .update("\0");
  }
  return hash.digest("hex");
}

function expand(file: string): string[] {
  if (!statSync(file, { throwIfNoEntry: false })) return [];
  if (!statSync(file).isDirectory()) return [file];
  return readdirSync(file, { recursive: true, encoding: "utf8" })
    .map((name) => path.join(file, name))
    .filter((name) => !/\.test\.tsx?$/.test(name) && statSync(name).isFile())
    .toSorted();
}
