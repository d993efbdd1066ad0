/** Reads the tables of docs/cost.md. */

/** Billing units by the name of their column. */
export type Units = Record<string, number>;

/** A line of the bill: what people use, what the plan has in it, its price of a million (of one, of what is stored), USD. */
export interface BillLine {
  idle: number;
  working: number;
  month: number;
  included: number;
  price: number;
  usd: number;
}

export interface CostDocument {
  /** What one of each event costs. */
  events: Record<string, Units>;
  /** How often each event happens to a person in a day. */
  day: Record<string, number>;
  /** An idle day and a working day of one person, and a month of 1,000, by unit. */
  bill: Record<string, BillLine>;
  /** Bytes that are stored for each person, by place. */
  stored: Record<string, number>;
  /** The free plan: what it allows in a day, what a person's working day takes, and how many people that is. */
  free: Record<string, { allowed: number; taken: number; people: number }>;
}

type Row = Record<string, string>;

export function readCostDocument(text: string): CostDocument {
  const below = (heading: string): Row[] => tables(sectionOf(text, heading));
  const events: Record<string, Units> = {};
  for (const { event = "", ...units } of below("What each event costs"))
    events[event] = { ...events[event], ...numbers(units) };
  return {
    events,
    day: byFirst(below("A person's day"), ({ times }) => toNumber(times)),
    bill: byFirst(below("Three scenarios"), (row) => ({
      idle: toNumber(row["an idle day"]),
      working: toNumber(row["a working day"]),
      month: toNumber(row["1,000 people, a month"]),
      included: toNumber(row["included"]),
      price: toNumber(row["price"]),
      usd: toNumber(row["USD"]),
    })),
    stored: byFirst(below("What is stored"), ({ bytes }) => toNumber(bytes)),
    free: byFirst(below("The free plan"), (row) => ({
      allowed: toNumber(row["a day"]),
      taken: toNumber(row["a person"]),
      people: toNumber(row["people"]),
    })),
  };
}

function sectionOf(text: string, heading: string): string {
  const section = text.split(/^## /m).find((one) => one.startsWith(`${heading}\n`));
  if (section === undefined) throw new Error(`docs/cost.md has no "${heading}".`);
  return section;
}

function byFirst<T>(rows: Row[], read: (row: Row) => T): Record<string, T> {
  return Object.fromEntries(rows.map((row) => [Object.values(row)[0] ?? "", read(row)]));
}

function numbers(row: Row): Units {
  return Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, toNumber(cell)]));
}

/** The rows of every table of the text as cells by the name of their column. */
function tables(text: string): Row[] {
  return text.split(/\n\s*\n/).flatMap((block) => {
    const [head, , ...rows] = block.split("\n").filter((line) => line.startsWith("|"));
    if (head === undefined) return [];
    const columns = cells(head);
    return rows.map((row) =>
      Object.fromEntries(cells(row).map((cell, index) => [columns[index] ?? "", cell])),
    );
  });
}

function cells(line: string): string[] {
  return line
    .split("|")
    .slice(1, -1)
    .map((cell) => cell.trim());
}

/** `1,234.5`; nothing is 0. */
function toNumber(cell = ""): number {
  return Number(cell.replaceAll(",", ""));
}
