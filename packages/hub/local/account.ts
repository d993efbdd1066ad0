/** The one person of a local hub, made through the same rows as everybody else's. */
import { createLocalCode, LOCAL_USER } from "../src/auth/local.ts";
import { issueInstanceToken, verifyInstanceToken } from "../src/auth/token.ts";
import { createSetupCode } from "../src/auth/setup-code.ts";
import { upsertUser } from "../src/db/users.ts";
import { routes } from "../src/routes.ts";
import type { Hub } from "./hub.ts";
import { ADMIN_TOKEN_FILE, readPrivate, writePrivate } from "./state.ts";

/** Adds the local person to the database. */
export async function createLocalUser(db: D1Database): Promise<void> {
  await upsertUser(db, LOCAL_USER);
}

/** A link that signs a browser in once, for some minutes. */
export async function createSignInLink(hub: Hub): Promise<string> {
  return `${hub.origin}${routes.localSignIn}?code=${await createLocalCode(hub.db)}`;
}

/** A link that opens setup once, for a day; undefined where there is nothing to set up. */
export async function createSetupLink(hub: Hub): Promise<string | undefined> {
  if (!(await hub.isSetupOpen())) return undefined;
  return `${hub.origin}${routes.setup}?code=${await createSetupCode(hub.db)}`;
}

/** Makes a token for the local person's instances and returns its text. */
export async function createToken(db: D1Database, name: string): Promise<string> {
  return (await issueInstanceToken(db, { userId: LOCAL_USER.id, name })).text;
}

/** The runner's own token, kept in the state folder; a new one where it is missing or revoked. */
export async function machineToken(db: D1Database, folder: string): Promise<string> {
  const known = readPrivate(folder, "token");
  if (known !== undefined && "ok" in (await verifyInstanceToken(db, known))) return known;
  const token = await createToken(db, "This machine");
  writePrivate(folder, "token", token);
  return token;
}

/** Keeps a token in the state folder with which `npm run access` works on this hub; a new one where it is missing or revoked. */
export async function keepAdminToken(db: D1Database, folder: string): Promise<void> {
  const known = readPrivate(folder, ADMIN_TOKEN_FILE);
  if (known !== undefined && "ok" in (await verifyInstanceToken(db, known))) return;
  const token = { userId: LOCAL_USER.id, name: "npm run access", scopes: ["admin"] as const };
  writePrivate(folder, ADMIN_TOKEN_FILE, (await issueInstanceToken(db, token)).text);
}
