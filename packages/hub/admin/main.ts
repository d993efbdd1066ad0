/** `npm run access`: who may use the hub, from the command line. */
import { visibleText } from "../src/visible-text.ts";
import { readArguments } from "./arguments.ts";
import { run } from "./commands.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { HELP } from "./help.ts";
import { findTarget } from "./target.ts";

async function main(): Promise<number> {
  const { asked, json } = readArguments(process.argv.slice(2));
  switch (asked.command) {
    case "help":
      process.stdout.write(HELP);
      return EXIT.done;
    case "wrong":
      process.stderr.write(`${asked.message}\nSee npm run access -- --help\n`);
      return EXIT.wrongUse;
    default: {
      const { answer, lines } = await run(findTarget(process.env), asked);
      const said = json ? [JSON.stringify(answer, null, 2)] : lines.map(visibleText);
      process.stdout.write(`${said.join("\n")}\n`);
      return EXIT.done;
    }
  }
}

try {
  process.exitCode = await main();
} catch (error) {
  process.exitCode = error instanceof CommandError ? error.exitCode : EXIT.unexpected;
  process.stderr.write(`${visibleText(error instanceof Error ? error.message : String(error))}\n`);
}
