/** Puts something of a test's own around methods of the platform and of the objects. */

export type Method = (this: unknown, ...args: unknown[]) => unknown;

export function before(prototype: unknown, name: string, note: (...args: unknown[]) => void): void {
  wrap(
    prototype,
    name,
    (method) =>
      function (this: unknown, ...args) {
        note(...args);
        return method.apply(this, args);
      },
  );
}

export function after(
  prototype: unknown,
  name: string,
  note: (result: unknown, ...args: unknown[]) => void,
): void {
  wrap(
    prototype,
    name,
    (method) =>
      function (this: unknown, ...args) {
        const result = method.apply(this, args);
        note(result, ...args);
        return result;
      },
  );
}

export function afterAsync(prototype: unknown, name: string, note: (result: unknown) => void): void {
  wrap(
    prototype,
    name,
    (method) =>
      async function (this: unknown, ...args) {
        const result = await method.apply(this, args);
        note(result);
        return result;
      },
  );
}

export function wrap(prototype: unknown, name: string, wrapper: (method: Method) => Method): void {
  const methods = prototype as Record<string, Method>;
  const method = methods[name];
  if (method === undefined) throw new Error(`There is no ${name} to be counted.`);
  methods[name] = wrapper(method);
}
