/** What the runner says on the terminal. */

export function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

export function warn(line: string): void {
  process.stderr.write(`${line}\n`);
}

/** The first screen of a hub that runs. */
export function showWelcome(origin: string, link: string): void {
  say(`\nAI Orchestrator runs at ${origin}. Sign in with this link; it works once, for ten minutes:\n`);
  say(`  ${link}\n`);
  say("Enter prints a new link, Ctrl-C ends everything.\n");
}

export function showNewLink(link: string): void {
  say(`  ${link}`);
}

/** How people come to sign in with GitHub, where that waits to be set up. */
export function showSetup(link: string): void {
  say("Signing in with GitHub is not set up yet. Set it up with this link; it works once, for a day:\n");
  say(`  ${link}\n`);
}

/** What to do where no claudecodeui runs. */
export function showHowToAttach(command: string): void {
  say("No claudecodeui runs here yet. This starts one, and it is attached as soon as it answers:\n");
  say(`  ${command}\n`);
}
