/**
 * Has the Worker and its objects counted without their knowing: an object's class by what comes to it, its storage by rows, D1 and R2 by
 * what they answer. What a method calls of its own object itself is counted as if it had come from outside; that is rare.
 */
import type { DurableObject } from "cloudflare:workers";
import type { Env } from "../env.ts";
import { meteredBucket, meteredDatabase } from "./metered-bindings.ts";
import { meterStorage } from "./metered-storage.ts";
import { usage } from "./usage.ts";

type ObjectClass<T> = new (ctx: DurableObjectState, env: Env) => T;
type Method = (this: unknown, ...args: unknown[]) => unknown;

/** The same class, with everything counted that comes to its objects and that they write and read. */
export function metered<T extends DurableObject<Env>>(Class: ObjectClass<T>): ObjectClass<T> {
  const Base = Class as ObjectClass<DurableObject<Env>>;
  class Metered extends Base {
    constructor(ctx: DurableObjectState, env: Env) {
      // Before the object's own constructor, which reads already.
      meterStorage(ctx.storage);
      super(ctx, meteredEnv(env));
    }
  }
  const plain = Class.prototype as Record<string, Method>;
  for (const name of Object.getOwnPropertyNames(plain)) {
    const isMethod = typeof Object.getOwnPropertyDescriptor(plain, name)?.value === "function";
    if (!isMethod || name === "constructor") continue;
    const unit = name === "webSocketMessage" ? "messages" : "object_requests";
    const value: Method = function (...args) {
      usage.count(unit);
      // Looked up each time, as `super` would: tests replace methods.
      return plain[name]?.apply(this, args);
    };
    Object.defineProperty(Metered.prototype, name, { value, configurable: true, writable: true });
  }
  return Metered as unknown as ObjectClass<T>;
}

const envs = new WeakMap<Env, Env>();

/** The same bindings and settings, with a database and an archive that are counted. */
export function meteredEnv(env: Env): Env {
  const known = envs.get(env);
  if (known !== undefined) return known;
  // Whatever else is set, later too, shows through.
  const counted = Object.create(env, {
    DB: {
      get: () => meteredDatabase(env.DB),
      set: (database: D1Database) => {
        env.DB = database;
      },
      enumerable: true,
    },
    ARCHIVE: {
      get: () => meteredBucket(env.ARCHIVE),
      set: (bucket: R2Bucket) => {
        env.ARCHIVE = bucket;
      },
      enumerable: true,
    },
  }) as Env;
  envs.set(env, counted);
  return counted;
}
