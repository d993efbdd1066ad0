/** One line on the terminal for each thing that happens; colour only where somebody looks. */
import type { Writable } from "node:stream";
import { stripVTControlCharacters } from "node:util";

export type Tone = "plain" | "good" | "bad" | "quiet";

const CODES: Record<Tone, string> = { plain: "", good: "32", bad: "31", quiet: "2" };

export class Terminal {
  readonly #out: Writable;
  readonly #colour: boolean;

  constructor(out: Writable, env: NodeJS.ProcessEnv) {
    this.#out = out;
    this.#colour = "isTTY" in out && out.isTTY === true && !env["NO_COLOR"];
  }

  say(text: string, tone: Tone = "plain"): void {
    const line = printable(text);
    this.#out.write(
      this.#colour && tone !== "plain" ? `\u001B[${CODES[tone]}m${line}\u001B[0m\n` : `${line}\n`,
    );
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
