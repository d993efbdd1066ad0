/** The tables of SPEC.md, so that tests can hold them and the code together. */
import spec from "../../SPEC.md?raw";

/** Every row of the tables of a section, without heading and rule; cells without their backquotes. */
export function specRows(section: number): string[][] {
  const start = spec.search(new RegExp(`^## ${section}\\. `, "m"));
  const [, body = ""] = spec.slice(start).split(/^## .*$/m);
  const lines = body.split("\n");
  return lines.flatMap((line, index) => {
    const isRow = line.startsWith("|") && !line.startsWith("|--");
    const isHeading = lines[index + 1]?.startsWith("|--");
    return isRow && !isHeading ? [cellsOf(line)] : [];
  });
}

function cellsOf(row: string): string[] {
  return row
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim().replaceAll("`", ""));
}
