/** Asks the running connectors of this user. */
import { rmSync } from "node:fs";
import { connect } from "node:net";
import * as v from "valibot";
import { isLeftBehind, socketPaths } from "./local-control-folder.ts";
import { AnswerSchema, MAX_LINE_BYTES, type Question, type Running } from "./local-control-messages.ts";

/** A status is known at once; to disconnect takes an adapter's end. */
const TIMEOUTS_MS: Record<Question["ask"], number> = { status: 2_000, disconnect: 10_000 };

export interface Asked {
  running: Running[];
  /** Those that were there and did not answer as they should: a sentence each. */
  problems: string[];
}

/** Asks all of them at once. Sockets that processes have left behind are removed. Never rejects. */
export async function askRunning(folder: string, ask: Question["ask"]): Promise<Asked> {
  const paths = pathsIn(folder);
  // Whoever takes that folder's place keeps nobody from what else there is to do.
  if (typeof paths === "string") return { running: [], problems: [paths] };
  const answers = await Promise.all(paths.map((path) => askOne(path, ask)));
  const running = answers.flatMap((answer) => (typeof answer === "object" ? [answer] : []));
  const problems = answers.flatMap((answer) => (typeof answer === "string" ? [answer] : []));
  return { running: running.toSorted((a, b) => a.target.localeCompare(b.target) || a.pid - b.pid), problems };
}

function pathsIn(folder: string): string[] | string {
  try {
    return socketPaths(folder);
  } catch (error) {
    return `What runs cannot be looked for: ${error instanceof Error ? error.message : String(error)}`;
  }
}

/** Undefined where nobody listens any more; a sentence where somebody does and says nothing of use. */
async function askOne(path: string, ask: Question["ask"]): Promise<Running | string | undefined> {
  const reply = await exchange(path, `${JSON.stringify({ ask } satisfies Question)}\n`, TIMEOUTS_MS[ask]);
  if (reply.gone) {
    if (isLeftBehind(path)) rmSync(path, { force: true });
    return undefined;
  }
  const answer = v.safeParse(v.pipe(v.string(), v.parseJson(), AnswerSchema), reply.line);
  if (answer.success && answer.output.ok) return answer.output.running;
  const why = answer.success && !answer.output.ok ? answer.output.message : "no answer";
  return `A connector at ${path} cannot be asked: ${why}`;
}

function exchange(
  path: string,
  question: string,
  timeoutMs: number,
): Promise<{ gone: boolean; line: string }> {
  return new Promise((resolve) => {
    let received = "";
    let gone = false;
    const socket = connect(path, () => socket.write(question));
    socket.setEncoding("utf8");
    const timer = setTimeout(() => socket.destroy(), timeoutMs);
    socket.on("data", (chunk: string) => {
      received += chunk;
      if (received.includes("\n") || received.length > MAX_LINE_BYTES) socket.destroy();
    });
    socket.on("error", (error: NodeJS.ErrnoException) => {
      gone = error.code === "ECONNREFUSED" || error.code === "ENOENT";
    });
    socket.on("close", () => {
      clearTimeout(timer);
      resolve({ gone, line: received });
    });
  });
}
