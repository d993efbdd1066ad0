/** What the connector keeps to sign in to one claudecodeui: a file for this user only, beside its other settings. */
import { join } from "node:path";
import * as v from "valibot";
import { readTextFile, writePrivateFile } from "../settings-folder.ts";

const CredentialsSchema = v.object({
  username: v.optional(v.string()),
  password: v.optional(v.string()),
  /** A token from a person's own sign-in, kept where the connector has no other way in. */
  token: v.optional(v.string()),
});

export type Credentials = v.InferOutput<typeof CredentialsSchema>;

export interface CredentialStore {
  /** Where they are, for people. */
  readonly path: string;
  /** Undefined where there are none, or what is there cannot be read. */
  read(): Promise<Credentials | undefined>;
  /** Throws where it cannot be written. */
  write(credentials: Credentials): Promise<void>;
}

/** The credentials of the claudecodeui at one local port. */
export function createCredentialStore(folder: string, port: number): CredentialStore {
  const name = `claudecodeui-${port}.json`;
  const path = join(folder, name);
  return {
    path,
    read: async () => {
      try {
        const schema = v.pipe(v.string(), v.parseJson(), CredentialsSchema);
        const parsed = v.safeParse(schema, await readTextFile(path));
        return parsed.success ? parsed.output : undefined;
      } catch {
        return undefined;
      }
    },
    write: (credentials) => writePrivateFile(folder, name, `${JSON.stringify(credentials, null, 2)}\n`),
  };
}
