// How something of the browser's is replaced without anybody noticing: what stands in its place is a proxy of it, so that its
// name, its text, its statics, its prototype and what inherits from it stay what they are.

/** Replaces the function or class `owner[name]`, where there is one: `change` is given its arguments and `this`, and answers with the arguments to use. */
export function wrap(owner, name, change) {
  replace(owner, name, (native, self, args) => Reflect.apply(native, self, change(args, self)), change);
}

/** Replaces the function `owner[name]`, where there is one; `call` is given the original, `this` and the arguments. */
export function replace(owner, name, call, change = (args) => args) {
  // What workers have in common stands on a prototype of theirs.
  while (owner && !Object.hasOwn(owner, name)) owner = Object.getPrototypeOf(owner);
  const descriptor = owner && Object.getOwnPropertyDescriptor(owner, name);
  const native = descriptor?.value;
  if (typeof native !== "function" || !(descriptor.configurable || descriptor.writable)) return;
  const proxy = new Proxy(native, {
    apply: (_, self, args) => call(native, self, args),
    construct: (_, args, target) => Reflect.construct(native, change(args), target),
  });
  Object.defineProperty(owner, name, { ...descriptor, value: proxy });
  // Of what has a class of its own: `Image` shares one.
  if (native.prototype?.constructor === native) native.prototype.constructor = proxy;
}

/** Replaces what reading or writing the property `owner[name]` does: `read` and `write` are given the value and `this`, and answer with another. */
export function wrapProperty(owner, name, { read, write }) {
  const descriptor = owner && Object.getOwnPropertyDescriptor(owner, name);
  if (!descriptor?.configurable) return;
  const changed = { ...descriptor };
  if (read && descriptor.get)
    changed.get = new Proxy(descriptor.get, {
      apply: (get, self) => read(Reflect.apply(get, self, []), self),
    });
  if (write && descriptor.set)
    changed.set = new Proxy(descriptor.set, {
      apply: (set, self, [value]) => Reflect.apply(set, self, [write(value, self)]),
    });
  Object.defineProperty(owner, name, changed);
}

/** A change of one argument, where it was given. */
export function argument(index, change) {
  return (args) =>
    index < args.length && args[index] !== undefined ? args.with(index, change(args[index])) : args;
}
