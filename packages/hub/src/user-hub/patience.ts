/** What `work` comes to, or `otherwise` where that takes longer than `ms` milliseconds; the work goes on all the same. */
export async function withPatience<T, O>(work: Promise<T>, ms: number, otherwise: O): Promise<T | O> {
  let timer: ReturnType<typeof setTimeout> | null = null;
  const patience = new Promise<O>((resolve) => {
    timer = setTimeout(() => resolve(otherwise), ms);
  });
  try {
    return await Promise.race([work, patience]);
  } finally {
    clearTimeout(timer);
  }
}
