/** Calls to claudecodeui's HTTP API on this machine: JSON both ways, bounded in time, never redirected elsewhere. */

const TIMEOUT_MS = 5_000;

export interface ApiAnswer {
  status: number;
  /** The parsed JSON, or undefined where the body was none. */
  body: unknown;
}

/** One call. `target` is an origin. Throws when nothing answers in time. */
export async function callApi(
  target: string,
  path: string,
  options: { token?: string | undefined; json?: unknown; signal?: AbortSignal } = {},
): Promise<ApiAnswer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const headers = new Headers({ accept: "application/json" });
  if (options.token !== undefined) headers.set("authorization", `Bearer ${options.token}`);
  if (options.json !== undefined) headers.set("content-type", "application/json");
  const response = await fetch(new URL(path, target), {
    method: options.json === undefined ? "GET" : "POST",
    headers,
    body: options.json === undefined ? null : JSON.stringify(options.json),
    redirect: "error",
    signal: options.signal ? AbortSignal.any([timeout, options.signal]) : timeout,
  }).catch((error: unknown) => {
    throw new Error(`${target} does not answer`, { cause: error });
  });
  return { status: response.status, body: parse(await response.text()) };
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
