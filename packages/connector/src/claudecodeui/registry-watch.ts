/** Looks at the registry whenever something in it changes, and now and then in case a change was missed or a process died. */
import { existsSync, type FSWatcher, watch } from "node:fs";
import { dirname } from "node:path";
import { readRegistry, type RegistryEntry } from "./registry.ts";

const WITH_ENTRIES_MS = 3_000;
const WITHOUT_ENTRIES_MS = 10_000;
/** A file is written and renamed in several steps; one look serves them all. */
const SETTLE_MS = 10;

export class RegistryWatch {
  readonly #folder: string;
  readonly #onEntries: (entries: RegistryEntry[] | undefined) => void;
  #watcher: FSWatcher | undefined;
  #watched: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #reading: Promise<void> | undefined;
  #again = false;
  #changedSince = false;
  #stopped = false;

  /** `onEntries` is told after every look; undefined means there is no registry. */
  constructor(folder: string, onEntries: (entries: RegistryEntry[] | undefined) => void) {
    this.#folder = folder;
    this.#onEntries = onEntries;
  }

  /** Looks now; resolves when what `onEntries` was told is no older than this call. */
  async look(): Promise<void> {
    if (this.#reading) {
      this.#again = true;
      return this.#reading;
    }
    this.#reading = this.#readUntilQuiet().finally(() => {
      this.#reading = undefined;
    });
    return this.#reading;
  }

  stop(): void {
    this.#stopped = true;
    this.#unwatch();
    clearTimeout(this.#timer);
  }

  async #readUntilQuiet(): Promise<void> {
    do {
      this.#again = false;
      this.#changedSince = false;
      const entries = await readRegistry(this.#folder);
      if (this.#stopped) return;
      // What changed before the watch began has to be looked for once more.
      if (this.#watchNearest()) this.#again = true;
      this.#onEntries(entries);
      const atRest = entries?.length ? WITH_ENTRIES_MS : WITHOUT_ENTRIES_MS;
      this.#lookIn(this.#changedSince ? SETTLE_MS : atRest);
    } while (this.#again);
  }

  #changed(): void {
    // The first change sets the time: a folder in which something changes all the time would never come to rest.
    if (this.#changedSince) return;
    this.#changedSince = true;
    if (!this.#reading) this.#lookIn(SETTLE_MS);
  }

  #lookIn(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#lookInBackground(), ms);
    this.#timer.unref();
  }

  #lookInBackground(): void {
    // `look` cannot fail: everything it reads is feature-detected.
    this.look().catch(() => this.#unwatch());
  }

  /**
   * Watches the registry, or until there is one the folder it will appear in: Claude Code makes its own, in the home, when
   * it first runs. True when what is watched is new.
   */
  #watchNearest(): boolean {
    const before = this.#watched;
    const parent = dirname(this.#folder);
    const watched = [this.#folder, parent, dirname(parent)].find((folder) => this.#watch(folder));
    return watched !== undefined && watched !== before;
  }

  /** True when `folder` is watched now. */
  #watch(folder: string): boolean {
    if (!existsSync(folder)) return false;
    if (this.#watched === folder) return true;
    this.#unwatch();
    try {
      this.#watcher = watch(folder, { persistent: false }, () => this.#changed());
      this.#watcher.on("error", () => this.#unwatch());
      this.#watched = folder;
      return true;
    } catch {
      this.#unwatch();
      return false;
    }
  }

  #unwatch(): void {
    this.#watcher?.close();
    this.#watcher = undefined;
    this.#watched = undefined;
  }
}
