/** What `orchestrator disconnect` has written into the config file, as `orchestrator connect` deals with it. */
import { readSettingsFile } from "../settings-file.ts";
import { writeSettings } from "../settings-write.ts";
import type { ReadSettings } from "../settings.ts";
import type { Terminal } from "./terminal.ts";

/** Takes it back where the connection that is kept in the file is asked for: programs that embed the connector may connect again, too. */
export async function takeBack(read: ReadSettings, terminal: Terminal): Promise<ReadSettings> {
  if (!read.isDisabledInFile || read.origins.token?.kind !== "file") return read;
  try {
    await writeSettings(read.file, { enabled: true });
    return { ...read, isDisabledInFile: false };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    terminal.say(
      `Note: ${read.file} keeps saying that nothing is to connect, because it cannot be written: ${why}`,
    );
    return read;
  }
}

/** True where it was said after the settings were read: while a web UI was waited for, nobody could be told to end. */
export function isDisconnectedSince({ isDisabledInFile, file }: ReadSettings): boolean {
  return !isDisabledInFile && readSettingsFile(file, false).section["enabled"] === false;
}
