/** Who this instance is to the hub: an id that stays the same over restarts, one for each local port. */
import { createHash, randomBytes } from "node:crypto";
import { hostname, userInfo } from "node:os";
import { join } from "node:path";
import { ClientIdSchema } from "@ai-orchestrator/protocol";
import * as v from "valibot";
import { addPrivateFile, readTextFile, settingsFolder, writePrivateFile } from "./settings-folder.ts";
import type { Settings } from "./settings.ts";

const BASE32 = "abcdefghijklmnopqrstuvwxyz234567";
const SUFFIX_LENGTH = 6;

export interface Identity {
  clientId: string;
  /** False when the id could not be kept; it was then derived from this machine and user, and stays the same all the same. */
  kept: boolean;
}

/** The id of the instance at `target`, kept in this user's settings folder. Never throws. */
export function ownIdentity(target: string, env: NodeJS.ProcessEnv): Promise<Identity> {
  const place = { folder: settingsFolder(env), port: Number(new URL(target).port || 80) };
  return loadIdentity({ ...place, hostname: hostname(), user: accountName() });
}

/** What the hub shows of an instance of this machine. */
export function ownMetadata({ name, project }: Pick<Settings, "name" | "project">, env: NodeJS.ProcessEnv) {
  return {
    hostname: name ?? hostname(),
    project: project ?? env["PWD"] ?? process.cwd(),
    platform: process.platform,
  };
}

/** Containers run as users whom nothing lists: of them there is the number only. */
function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    return String(process.getuid?.() ?? "");
  }
}

/** The id kept for this port in `folder`, or a new one that is kept there from now on. Never throws. */
export async function loadIdentity(place: {
  folder: string;
  port: number;
  hostname: string;
  user: string;
}): Promise<Identity> {
  const name = `client-id-${place.port}`;
  try {
    const path = join(place.folder, name);
    const text = await readTextFile(path);
    const stored = idIn(text);
    if (stored !== undefined) return { clientId: stored, kept: true };
    const clientId = clientIdFor(place.hostname, randomBytes(SUFFIX_LENGTH));
    const write = text === undefined ? addPrivateFile : writePrivateFile;
    await write(place.folder, name, `${clientId}\n`);
    // Another one of the same port may have been first: workers of a cluster start together.
    return { clientId: idIn(await readTextFile(path)) ?? clientId, kept: true };
  } catch {
    const digest = createHash("sha256")
      .update(JSON.stringify([place.hostname, place.user, place.port]))
      .digest();
    return { clientId: clientIdFor(place.hostname, digest), kept: false };
  }
}

function idIn(text: string | undefined): string | undefined {
  const stored = v.safeParse(ClientIdSchema, text?.trim());
  return stored.success ? stored.output : undefined;
}

function clientIdFor(host: string, bytes: Uint8Array): string {
  const label = (host.split(".")[0] ?? "")
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "");
  const suffix = Array.from(bytes.subarray(0, SUFFIX_LENGTH), (byte) => BASE32[byte % BASE32.length]).join(
    "",
  );
  return `${label.slice(0, 40) || "instance"}-${suffix}`;
}
