export async function start(options: { demo: boolean }): Promise<number> {
  await Promise.resolve();
  return options.demo ? 0 : 0;
}
