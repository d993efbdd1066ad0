/** The days of a Meter, in its SQLite: one row each, so that adding to a day writes one, whatever is added. */
import * as v from "valibot";
import type { UsageDay } from "./forecast.ts";
import { dayAt, hourAt } from "./periods.ts";
import { addAmounts, parseAmounts, type Amounts } from "./units.ts";

/** Two months: this one and, until it is whole, the one before. */
const KEPT_DAYS = 62;
const HOURS = 24;

interface DayRow extends Record<string, SqlStorageValue> {
  day: number;
  amounts: string;
  hours: string;
}

const HoursSchema = v.pipe(v.array(v.pipe(v.number(), v.minValue(0))), v.length(HOURS));

export class UsageDays {
  readonly #sql: SqlStorage;
  /** Everything that is kept; undefined until it is asked for. */
  #days: Map<number, UsageDay> | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#sql = storage.sql;
    this.#sql.exec(
      "CREATE TABLE IF NOT EXISTS days (day INTEGER PRIMARY KEY, amounts TEXT NOT NULL, hours TEXT NOT NULL)",
    );
  }

  /** In no order. Of a clock that was ahead there may be days that are yet to come. */
  list(): UsageDay[] {
    return [...this.#all().values()];
  }

  of(day: number): Amounts {
    return this.#all().get(day)?.amounts ?? {};
  }

  /** Adds to the day that is now, milliseconds since the epoch, and notes in which of its hours. */
  add(amounts: Amounts, now: number): void {
    const today = dayAt(now);
    const isNew = !this.#all().has(today);
    const day = this.#all().get(today) ?? {
      day: today,
      amounts: {},
      hours: noHours(),
    };
    addAmounts(day.amounts, amounts);
    day.hours[hourAt(now)] = (day.hours[hourAt(now)] ?? 0) + 1;
    this.#all().set(today, day);
    this.#sql.exec(
      `INSERT INTO days (day, amounts, hours) VALUES (?, ?, ?)
       ON CONFLICT (day) DO UPDATE SET amounts = excluded.amounts, hours = excluded.hours`,
      today,
      JSON.stringify(day.amounts),
      JSON.stringify(day.hours),
    );
    if (isNew) this.#dropOldest();
  }

  /** By number, not by age: a clock that was far ahead for a moment must not cost what was counted before. */
  #dropOldest(): void {
    const kept = [...this.#all().keys()].toSorted((a, b) => b - a);
    for (const day of kept.slice(KEPT_DAYS)) {
      this.#sql.exec("DELETE FROM days WHERE day = ?", day);
      this.#all().delete(day);
    }
  }

  #all(): Map<number, UsageDay> {
    this.#days ??= new Map(
      Array.from(this.#sql.exec<DayRow>("SELECT * FROM days"), (row) => [row.day, toDay(row)]),
    );
    return this.#days;
  }
}

function toDay({ day, amounts, hours }: DayRow): UsageDay {
  const parsed = v.safeParse(HoursSchema, JSON.parse(hours));
  return {
    day,
    amounts: parseAmounts(JSON.parse(amounts)),
    hours: parsed.success ? parsed.output : noHours(),
  };
}

function noHours(): number[] {
  return Array.from({ length: HOURS }, () => 0);
}
