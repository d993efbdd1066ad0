import {
  accessSync,
  chmodSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  writeFileSync,
} from "node:fs";
import path from "node:path";
import { randomSecret } from "../src/secrets.ts";
import { repository } from "./paths.ts";

/** The file in it with the token of `npm run access`. */
export const ADMIN_TOKEN_FILE = "admin-token";

/** Folder in which the local hub keeps everything: `$ORCHESTRATOR_STATE`, or `.orchestrator` in the repository. */
export function stateFolder(environment: NodeJS.ProcessEnv): string {
  return path.resolve(environment["ORCHESTRATOR_STATE"] || path.join(repository, ".orchestrator"));
}

/** Makes the folder, readable by its owner only; throws where that is impossible. */
export function prepareStateFolder(folder: string): void {
  try {
    // Where the parent is there already, Node must not try it recursively: in /proc that never ends.
    mkdirSync(folder, { recursive: !existsSync(path.dirname(folder)), mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "EEXIST")
      throw new Error(`The state folder ${folder} cannot be made (${code}).`, { cause: error });
  }
  try {
    chmodSync(folder, 0o700);
    accessSync(folder, constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(`The state folder ${folder} cannot be written to (${code}).`, { cause: error });
  }
}

/** The secret that signs this hub's cookies; made at first use and kept. */
export function hubSecret(folder: string): string {
  const known = readPrivate(folder, "hub-secret");
  if (known !== undefined && known.length >= 43) return known;
  const secret = randomSecret();
  writePrivate(folder, "hub-secret", secret);
  return secret;
}

/** Text of a file in the folder, undefined where there is none. */
export function readPrivate(folder: string, name: string): string | undefined {
  try {
    return readFileSync(path.join(folder, name), "utf8").trim();
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** Writes a file in the folder that only its owner can read. */
export function writePrivate(folder: string, name: string, text: string): void {
  const file = path.join(folder, name);
  writeFileSync(file, `${text}\n`, { mode: 0o600 });
  chmodSync(file, 0o600);
}
