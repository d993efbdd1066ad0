/** What the command's exit codes mean; `--help` lists the same. */
export const EXIT = { done: 0, unexpected: 1, wrongUse: 2, noHub: 3, refused: 4 } as const;

/** An error that is said to a person as it is, and ends the command with this code. */
export class CommandError extends Error {
  override readonly name = "CommandError";
  readonly exitCode: number;

  constructor(exitCode: number, message: string) {
    super(message);
    this.exitCode = exitCode;
  }
}
