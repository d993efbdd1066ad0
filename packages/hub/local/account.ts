/** The one person of a local hub, made through the same rows as everybody else's. */
import { userInfo } from "node:os";
import { issueInstanceToken, verifyInstanceToken } from "../src/auth/token.ts";
import { createOneTimeCode } from "../src/db/one-time-codes.ts";
import { upsertUser } from "../src/db/users.ts";
import { routes } from "../src/routes.ts";
import type { Hub } from "./hub.ts";
import { readPrivate, writePrivate } from "./state.ts";

const LOCAL_USER = "local";
const LINK_LIFETIME_MS = 15 * 60_000;

/** Adds the local person to the database, named like the account that runs the hub. */
export async function createLocalUser(db: D1Database): Promise<void> {
  const name = accountName();
  await upsertUser(db, { id: LOCAL_USER, login: name, name });
}

/** A link that signs a browser in once, for 15 minutes. */
export async function createSignInLink(hub: Hub): Promise<string> {
  const code = await createOneTimeCode(hub.db, {
    purpose: "local",
    userId: LOCAL_USER,
    lifetimeMs: LINK_LIFETIME_MS,
  });
  return `${hub.origin}${routes.localSignIn}?code=${code}`;
}

/** Makes a token for the local person's instances and returns its text. */
export async function createToken(db: D1Database, name: string): Promise<string> {
  return (await issueInstanceToken(db, { userId: LOCAL_USER, name })).text;
}

/** The runner's own token, kept in the state folder; a new one where it is missing or revoked. */
export async function machineToken(db: D1Database, folder: string): Promise<string> {
  const known = readPrivate(folder, "token");
  if (known !== undefined && (await verifyInstanceToken(db, known)) !== null) return known;
  const token = await createToken(db, "This machine");
  writePrivate(folder, "token", token);
  return token;
}

function accountName(): string {
  try {
    return userInfo().username;
  } catch {
    // An account without an entry, as in some containers.
    return LOCAL_USER;
  }
}
