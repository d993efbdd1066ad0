/** The file a running claudecodeui keeps about itself: `~/.cloudcli/local-server.json`. */
import { join } from "node:path";
import * as v from "valibot";
import { readTextFile } from "../settings-folder.ts";

const MarkerSchema = v.object({
  pid: v.pipe(v.number(), v.integer(), v.minValue(1)),
  host: v.optional(v.string(), ""),
  port: v.pipe(v.number(), v.integer(), v.minValue(1), v.maxValue(65_535)),
  appRoot: v.optional(v.string()),
});

export interface LocalServer {
  pid: number;
  port: number;
  /** `http://127.0.0.1:3001` */
  target: string;
  appRoot: string | undefined;
}

/** The claudecodeui that last said it runs in this home, while its process lives; undefined otherwise. Never throws. */
export async function readLocalServer(home: string): Promise<LocalServer | undefined> {
  const text = await readTextFile(join(home, ".cloudcli", "local-server.json")).catch(() => undefined);
  const marker = v.safeParse(v.pipe(v.string(), v.parseJson(), MarkerSchema), text);
  if (!marker.success || !isAlive(marker.output.pid)) return undefined;
  const { pid, host, port, appRoot } = marker.output;
  return { pid, port, appRoot, target: `http://${host === "::1" ? "[::1]" : "127.0.0.1"}:${port}` };
}

/** True while a process of this id exists, whoever owns it. */
export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
}
