/** One line on the terminal for each thing that happens; colour only where somebody looks. */
import type { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";

export type Tone = "plain" | "good" | "bad" | "quiet";

const CODES: Record<Tone, string> = { plain: "", good: "32", bad: "31", quiet: "2" };

export class Terminal {
  readonly #out: Writable;
  readonly #isLookedAt: boolean;
  readonly #colour: boolean;

  constructor(out: Writable, env: NodeJS.ProcessEnv) {
    this.#out = out;
    this.#isLookedAt = "isTTY" in out && out.isTTY === true;
    this.#colour = this.#isLookedAt && !env["NO_COLOR"];
  }

  say(text: string, tone: Tone = "plain"): void {
    const line = printable(text);
    this.#out.write(
      this.#colour && tone !== "plain" ? `\u001B[${CODES[tone]}m${line}\u001B[0m\n` : `${line}\n`,
    );
  }

  /** Text for programs, as it is. */
  print(text: string): void {
    this.#out.write(text);
  }

  /** A picture of dark characters on light ground; false where nobody looks or it is too wide. */
  draw(lines: readonly string[]): boolean {
    const columns = "columns" in this.#out ? Number(this.#out.columns) : 0;
    if (!this.#isLookedAt || lines.length === 0 || lines.some((line) => line.length > columns)) return false;
    for (const line of lines)
      this.#out.write(this.#colour ? `\u001B[30;107m${line}\u001B[0m\n` : `${line}\n`);
    return true;
  }

  /** A line of a program started here, behind a name; in its colours where there is colour. */
  pass(name: string, line: string): void {
    const plain = `${name} | ${stripVTControlCharacters(line)}\n`;
    this.#out.write(this.#colour ? `\u001B[2m${name} |\u001B[0m ${line}\n` : plain);
  }
}

/** What a hub says must not move the cursor or ring the bell. */
function printable(text: string): string {
  // oxlint-disable-next-line no-control-regex -- control characters are what it removes
  return text.replaceAll(/[\u0000-\u0009\u000B-\u001F\u007F-\u009F]/g, " ");
}
