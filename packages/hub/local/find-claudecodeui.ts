/** TODO */
export async function findClaudecodeui(): Promise<string | undefined> {
  const response = await fetch("http://127.0.0.1:3001/health").catch(() => undefined);
  await response?.body?.cancel();
  return response?.ok === true ? "http://127.0.0.1:3001" : undefined;
}
