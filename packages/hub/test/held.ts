/** What keeps objects in memory: calls that are not answered, promises given to `waitUntil`, timers. */
import { AsyncLocalStorage } from "node:async_hooks";
import { before } from "./wrap.ts";

/** One thing that does: a call of this name that is not answered, `waitUntil`, or a timer with its delay. */
interface Hold {
  object: object;
  what: string;
}

const holds = new Set<Hold>();
const since = new Map<object, number>();
/** The object whose code runs. */
const current = new AsyncLocalStorage<object>();
/** Told for how long an object could not hibernate, in milliseconds by the test's clock. */
let awake: (ms: number) => void = () => undefined;

export function inObject<T>(object: object, work: () => T): T {
  return current.run(object, work);
}

export function runningObject(): object | undefined {
  return current.getStore();
}

/** What keeps objects from hibernating now: names of calls, `waitUntil`, `timer of <ms>`. */
export function held(): string[] {
  return [...holds].map(({ object, what }) => `${object.constructor.name}: ${what}`).toSorted();
}

function hold(object: object, what: string): () => void {
  const one = { object, what };
  if (!isHeld(object)) since.set(object, Date.now());
  holds.add(one);
  return () => {
    if (holds.delete(one) && !isHeld(object)) awake(Date.now() - (since.get(object) ?? 0));
  };
}

function isHeld(object: object): boolean {
  return [...holds].some((one) => one.object === object);
}

/** Until it is settled, for whatever it is worth to its caller. */
export function holdUntil(promise: unknown, object: object, what: string): void {
  const release = hold(object, what);
  Promise.resolve(promise).then(release, release);
}

/** Begins to notice timers that an object's code sets, and to tell; the test's own are set outside of any object. */
export function holdByTimers(tell: (ms: number) => void): void {
  awake = tell;
  const timers = new Map<unknown, () => void>();
  const set = (name: "setTimeout" | "setInterval") => {
    const platform = globalThis[name] as (callback: () => void, delayMs?: number) => unknown;
    const counted = (callback: () => void, delayMs = 0): unknown => {
      const object = current.getStore();
      if (object === undefined) return platform(callback, delayMs);
      const release = hold(object, `timer of ${delayMs} ms`);
      const timer = platform(() => {
        if (name === "setTimeout") release();
        callback();
      }, delayMs);
      timers.set(timer, release);
      return timer;
    };
    Object.assign(globalThis, { [name]: counted });
  };
  set("setTimeout");
  set("setInterval");
  for (const name of ["clearTimeout", "clearInterval"])
    before(globalThis, name, (timer) => timers.get(timer)?.());
}
