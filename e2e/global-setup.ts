import { buildAll } from "../packages/hub/local/build.ts";

/** The tests run what is built, so it is built first; nothing happens where it is up to date. */
export function setup(): void {
  buildAll(console.log);
}
