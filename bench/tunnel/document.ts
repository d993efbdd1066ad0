/** Results as files: JSON for comparing, Markdown for reading, and the tables of docs/performance.md. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import type { Row } from "../report.ts";
import { repository } from "../../packages/hub/local/paths.ts";
import type { Results } from "./results.ts";
import type { Table } from "./table.ts";

const FOLDER = path.join(repository, ".cache/bench");
const DOCUMENT = path.join(repository, "docs/performance.md");
const BEGIN = "<!-- tunnel: written by `npm run bench -- tunnel --write` -->";
const END = "<!-- /tunnel -->";

/** Writes both, named after the time of the run, and returns the JSON file's path. */
export function keepResults(results: Results, tables: readonly Table[]): string {
  mkdirSync(FOLDER, { recursive: true });
  const base = path.join(FOLDER, `tunnel-${results.date.replaceAll(/[:.]/g, "-")}`);
  writeFileSync(`${base}.json`, `${JSON.stringify(results, null, 1)}\n`);
  writeFileSync(`${base}.md`, markdown(results, tables));
  return `${base}.json`;
}

/** Puts the tables between the document's marks; throws where it has none. */
export function writeDocument(results: Results, tables: readonly Table[]): void {
  const text = readFileSync(DOCUMENT, "utf8");
  const [before, rest] = text.split(BEGIN);
  const after = rest?.split(END)[1];
  if (before === undefined || after === undefined)
    throw new Error(`${DOCUMENT} has no place for the tables.`);
  writeFileSync(DOCUMENT, `${before}${BEGIN}\n${markdown(results, tables)}${END}${after}`);
}

function markdown(results: Results, tables: readonly Table[]): string {
  const facts = [`Measured on ${results.date.slice(0, 10)}`, ...results.machine, `${results.rounds} rounds`];
  return [`\n${facts.join("; ")}.\n`, ...tables.map(tableOf)].join("\n");
}

/** A table under a heading. */
export function tableOf({ heading, rows }: Table): string {
  const [head = [], ...body] = rows;
  const columns = Math.max(...rows.map((row) => row.length));
  const rule = Array.from({ length: columns }, (_, column) => (column === 0 ? "---" : "---:"));
  return [
    `### ${heading}\n`,
    line(head, columns),
    line(rule, columns),
    ...body.map((row) => line(row, columns)),
    "",
  ].join("\n");
}

function line(row: Row, columns: number): string {
  const cells = Array.from({ length: columns }, (_, column) => String(row[column] ?? ""));
  return `| ${cells.join(" | ")} |`;
}
