/**
 * One look for everyone who asks while another is under way. Each gets what a look found that began after it had asked: what was
 * read before may not be true of a connection that was made since.
 */
export function shareLooks<T>(look: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  let next: Promise<T> | undefined;
  const begin = (): Promise<T> => {
    running = look().finally(() => (running = undefined));
    return running;
  };
  const ask = (): Promise<T> => {
    if (running === undefined) return begin();
    const after = () => {
      next = undefined;
      return ask();
    };
    next ??= running.then(after, after);
    return next;
  };
  return ask;
}
