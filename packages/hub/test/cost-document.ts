/** Reads the tables of docs/cost.md. */

/** Billing units by the name of their column. */
export type Units = Record<string, number>;

export interface CostDocument {
  /** What one of each event costs. */
  events: Record<string, Units>;
  /** How often each event happens to a person in a day. */
  day: Record<string, number>;
  /** The bill of a month for 1,000 people: by unit, as many as there are, as are included, price of a million, USD. */
  month: Record<string, { used: number; included: number; price: number; usd: number }>;
}

export function readCostDocument(text: string): CostDocument {
  const [events = [], day = [], month = []] = tables(text);
  return {
    events: Object.fromEntries(
      events.map(({ event = "", ...units }) => [
        event,
        Object.fromEntries(Object.entries(units).map(([unit, cell]) => [unit, toNumber(cell)])),
      ]),
    ),
    day: Object.fromEntries(day.map(({ event = "", times = "" }) => [event, toNumber(times)])),
    month: Object.fromEntries(
      month.map(({ unit = "", used = "", included = "", price = "", USD = "" }) => [
        unit,
        { used: toNumber(used), included: toNumber(included), price: toNumber(price), usd: toNumber(USD) },
      ]),
    ),
  };
}

/** Each table of the text as rows of cells by the name of their column. */
function tables(text: string): Record<string, string>[][] {
  const found: Record<string, string>[][] = [];
  for (const block of text.split(/\n\s*\n/)) {
    const [head, , ...rows] = block.split("\n").filter((line) => line.startsWith("|"));
    if (head === undefined) continue;
    const columns = cells(head);
    found.push(
      rows.map((row) => Object.fromEntries(cells(row).map((cell, index) => [columns[index] ?? "", cell]))),
    );
  }
  return found;
}

function cells(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** `1,234.5`; nothing is 0. */
function toNumber(cell: string): number {
  return Number(cell.replaceAll(",", ""));
}
