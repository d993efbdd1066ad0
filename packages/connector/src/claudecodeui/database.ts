/**
 * claudecodeui's own settings on this machine: where its database is, and what in it lets the same operating-system user
 * sign in. SQLite is read with what is there: Node's own module (22.13 and newer), else the one claudecodeui brought along.
 */
import { createRequire } from "node:module";
import { existsSync } from "node:fs";
import { join } from "node:path";
import * as v from "valibot";
import { readTextFile } from "../settings-folder.ts";

const UserSchema = v.object({ id: v.number(), username: v.string() });
const SecretSchema = v.object({ value: v.pipe(v.string(), v.minLength(1)) });

/** What signing a token takes. */
export interface SigningKey {
  secret: string;
  user: { id: number; username: string };
}

export interface Installation {
  env: NodeJS.ProcessEnv;
  home: string;
  /** The folder claudecodeui is installed in, if known. */
  appRoot: string | undefined;
}

/** Reads the key; throws an error whose message says to a person why it cannot. */
export async function readSigningKey(installation: Installation): Promise<SigningKey> {
  const env = { ...(await readDotEnv(installation.appRoot)), ...installation.env };
  const path = env["DATABASE_PATH"] || join(installation.home, ".cloudcli", "auth.db");
  if (!existsSync(path)) throw new Error(`there is no claudecodeui database at ${path}`);
  const query = await openDatabase(path, installation.appRoot);
  try {
    const user = v.safeParse(
      UserSchema,
      query.first("SELECT id, username FROM users WHERE is_active = 1 ORDER BY id LIMIT 1"),
    );
    if (!user.success) throw new Error(`${path} has no user`);
    const stored = v.safeParse(
      SecretSchema,
      query.first("SELECT value FROM app_config WHERE key = 'jwt_secret'"),
    );
    const secret = env["JWT_SECRET"] || (stored.success ? stored.output.value : undefined);
    if (secret === undefined) throw new Error(`${path} has no signing secret`);
    return { secret, user: user.output };
  } finally {
    query.close();
  }
}

interface Query {
  first(sql: string): unknown;
  close(): void;
}

/** The two SQLite modules agree on this much. */
interface SqliteDatabase {
  prepare(sql: string): { get(): unknown };
  close(): void;
}

async function openDatabase(path: string, appRoot: string | undefined): Promise<Query> {
  const database = (await openWithNode(path)) ?? openWithClaudecodeui(path, appRoot);
  if (!database) {
    throw new Error(`reading ${path} needs Node.js 22.13 or newer (this is ${process.versions.node})`);
  }
  return { first: (sql) => database.prepare(sql).get(), close: () => database.close() };
}

async function openWithNode(path: string): Promise<SqliteDatabase | undefined> {
  const module = await import("node:sqlite").catch(() => undefined);
  return module && new module.DatabaseSync(path, { readOnly: true });
}

function openWithClaudecodeui(path: string, appRoot: string | undefined): SqliteDatabase | undefined {
  if (appRoot === undefined) return undefined;
  try {
    const Database = createRequire(join(appRoot, "package.json"))("better-sqlite3") as new (
      path: string,
      options: { readonly: boolean },
    ) => SqliteDatabase;
    return new Database(path, { readonly: true });
  } catch {
    return undefined;
  }
}

/** The `.env` beside claudecodeui, which it reads at start; what is in the environment goes before it. */
async function readDotEnv(appRoot: string | undefined): Promise<Record<string, string>> {
  const text =
    appRoot === undefined ? undefined : await readTextFile(join(appRoot, ".env")).catch(() => undefined);
  const pairs = (text ?? "").split("\n").map((line) => /^\s*([A-Z_]+)\s*=\s*(.*?)\s*$/.exec(line));
  return Object.fromEntries(pairs.flatMap((pair) => (pair?.[1] && pair[2] ? [[pair[1], pair[2]]] : [])));
}
