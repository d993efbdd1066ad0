/** What the command's exit codes mean; `--help` and the README list the same. */
export const EXIT = { ended: 0, unexpected: 1, wrongUse: 2, notFound: 3, refused: 4 } as const;
