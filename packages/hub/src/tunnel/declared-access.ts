/** Who may use the instance, as its connector declared it last. Stored, because it may be longer than an attachment; written only where it changes. */
import type { AccessList } from "@ai-orchestrator/protocol";

const KEY = "access";

export class DeclaredAccess {
  readonly #kv: SyncKvStorage;
  /** Null where there is none; undefined before it is read. */
  #list: AccessList | null | undefined;

  constructor(storage: DurableObjectStorage) {
    this.#kv = storage.kv;
  }

  /** Undefined where everybody may whom the hub lets through. */
  current(): AccessList | undefined {
    if (this.#list === undefined) this.#list = this.#kv.get<AccessList>(KEY) ?? null;
    return this.#list ?? undefined;
  }

  /** Takes what came with a registration. */
  declare(list: AccessList | undefined): void {
    if (JSON.stringify(list) === JSON.stringify(this.current())) return;
    this.#list = list ?? null;
    if (list === undefined) this.#kv.delete(KEY);
    else this.#kv.put(KEY, list);
  }
}
