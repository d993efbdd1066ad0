/** Looks up the hub's name, without harm to the process it is done in where that hangs. */
import type { LookupAddress, LookupOptions } from "node:dns";
import { resolveLoopback } from "./loopback.ts";

/**
 * A lookup cannot be taken back, and each holds one of libuv's four threads (`UV_THREADPOOL_SIZE`), which the files of this process need as
 * well. A dial whose lookup hangs is given up, and so would leave one behind each time.
 */
const MAX_AT_ONCE = 2;
let running = 0;

type Callback = (
  error: NodeJS.ErrnoException | null,
  address: string | LookupAddress[],
  family?: number,
) => void;

/** A `lookup` for sockets: fails at once, with `EAI_AGAIN`, where two are on their way already. */
export function lookupHub(hostname: string, options: LookupOptions, callback: Callback): void {
  if (running >= MAX_AT_ONCE) {
    const error = Object.assign(new Error(`too many lookups of ${hostname}`), { code: "EAI_AGAIN" });
    process.nextTick(callback, error, []);
    return;
  }
  running++;
  resolveLoopback(hostname, options, (...answer) => {
    running--;
    callback(...answer);
  });
}
