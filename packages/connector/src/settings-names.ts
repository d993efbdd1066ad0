/** What settings and their sources are called. For programs too, whose types need nothing of the schemas' library. */

export type SettingName =
  | "mode"
  | "url"
  | "token"
  | "clientId"
  | "target"
  | "name"
  | "project"
  | "reconnectIntervalMs"
  | "heartbeatIntervalMs"
  | "users"
  | "organization"
  | "team"
  | "allowOtherUser";

export type SourceKind = "flag" | "environment" | "file";

/** What was given as a flag or by a program, with the words that name it to people, such as `--url`. */
export type Flags = Partial<Record<SettingName | "config", { text: string; written: string }>>;
