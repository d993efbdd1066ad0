/** Numbers as people read them: percentiles and plain tables. */

export type Row = (string | number)[];

/** The value that this share of the samples does not exceed, by the nearest rank; `share` from 0 to 1. NaN without samples. */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}

export function median(samples: readonly number[]): number {
  return percentile(samples, 0.5);
}

/** Median, 90th and 99th percentile and maximum, of milliseconds. */
export function spread(samples: readonly number[]): Row {
  return [0.5, 0.9, 0.99, 1].map((share) => percentile(samples, share).toFixed(1));
}

/** Bytes in the thousand bytes that targets are named in. */
export function kilobytes(bytes: number): string {
  return `${(bytes / 1000).toFixed(1)} KB`;
}

/** Prints rows under a heading; the first column is text, the others stand to the right. */
export function printTable(heading: string, rows: readonly Row[], ...notes: string[]): void {
  const columns = Math.max(0, ...rows.map((row) => row.length));
  const widths = Array.from({ length: columns }, (_, column) =>
    Math.max(...rows.map((row) => String(row[column] ?? "").length)),
  );
  const line = (row: Row) =>
    row
      .map((cell, column) => {
        const width = widths[column] ?? 0;
        return column === 0 ? String(cell).padEnd(width) : String(cell).padStart(width);
      })
      .join("  ");
  console.log(["", heading, ...rows.map((row) => `  ${line(row)}`.trimEnd()), ...notes].join("\n"));
}
