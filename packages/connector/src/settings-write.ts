/** Writes into the config file what a person has asked to keep: what a pairing has brought, and that connections are ended. */
import { mkdir } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { editSection } from "./json-edit.ts";
import { readTextFile, replaceFile } from "./settings-folder.ts";
import { readSettingsFile, SECTION } from "./settings-file.ts";
import { SettingsError } from "./settings.ts";

/** By the keys of the file's object `orchestrator`; null takes one out. */
export interface SettingsChanges {
  enabled?: boolean;
  url?: string | null;
  token?: string | null;
  client_id?: string | null;
}

/**
 * Changes `file` (`ReadSettings.file`), which is made with its folder where it is not there: whole or not at all, mode 600, everything
 * else in it as it was. A symbolic link is replaced by the file, never written through. Throws `SettingsError` for a file that is not
 * as it must be, and what the system says where it cannot be written.
 */
export async function writeSettings(file: string, changes: SettingsChanges): Promise<void> {
  const { exists, problems } = readSettingsFile(file, false);
  if (problems.length > 0) throw new SettingsError(problems);
  const text = exists ? ((await readTextFile(file)) ?? "{}") : "{}";
  const folder = dirname(file);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const edited = editSection(text, SECTION, { ...changes });
  await replaceFile(folder, basename(file), edited.endsWith("\n") || exists ? edited : `${edited}\n`);
}
