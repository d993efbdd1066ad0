/** Chance that can be repeated. */
export interface Chance {
  /** A whole number from 0 to below this. */
  below(limit: number): number;
  /** One of these. */
  among<T>(choices: readonly T[]): T;
}

/** The same numbers for the same seed: mulberry32, which is small and good enough to choose by. */
export function random(seed: number): Chance {
  let state = seed;
  const below = (limit: number): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  };
  const among = <T>(choices: readonly T[]): T => {
    const chosen = choices[below(choices.length)];
    if (chosen === undefined) throw new RangeError("There is nothing to choose from.");
    return chosen;
  };
  return { below, among };
}
