/** Looks at the registry whenever something in it changes, and now and then in case a change was missed or a process died. */
import { type FSWatcher, watch } from "node:fs";
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
      const entries = await readRegistry(this.#folder);
      if (this.#stopped) return;
      // What changed before the watch began has to be looked for once more.
      if (this.#watch(entries === undefined ? dirname(this.#folder) : this.#folder)) this.#again = true;
      this.#onEntries(entries);
      this.#lookIn(entries?.length ? WITH_ENTRIES_MS : WITHOUT_ENTRIES_MS);
    } while (this.#again);
  }

  #changed(): void {
    if (this.#reading) this.#again = true;
    else this.#lookIn(SETTLE_MS);
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

  /** Watches the registry, or until there is one the folder it will appear in; true when that is new. */
  #watch(folder: string): boolean {
    if (this.#watched === folder) return false;
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
