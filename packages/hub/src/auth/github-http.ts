/**
 * One request to GitHub and the whole of its answer. Nothing GitHub does may hang or fill the hub: answers have a deadline
 * and a size, and redirects lead nowhere else. What cannot be had is `away`, with words for the log and never a URL.
 */

/** GitHub could not be asked; in the log. `retryAfterSeconds` where GitHub said when it wants to be asked again. */
export interface Away {
  away: string;
  retryAfterSeconds?: number;
}

/** A whole answer, whatever its status. */
export interface GitHubAnswer {
  status: number;
  headers: Headers;
  text: string;
}

export interface GitHubRequest {
  method?: "GET" | "POST";
  headers?: Record<string, string>;
  body?: string;
  timeoutMs?: number;
}

const GITHUB_TIMEOUT_MS = 8_000;
const MAX_BODY_BYTES = 1024 * 1024;
/** GitHub's API moves renamed things so, always within itself. */
const MAX_REDIRECTS = 2;
/** GitHub answers nobody without a name. */
const USER_AGENT = "ai-orchestrator";

export async function askGitHub(url: string, request: GitHubRequest = {}): Promise<GitHubAnswer | Away> {
  const { timeoutMs = GITHUB_TIMEOUT_MS } = request;
  const deadline = new AbortController();
  // Not AbortSignal.timeout(), which would keep an object in memory until then though it has its answer.
  const timer = setTimeout(() => {
    deadline.abort(new DOMException("GitHub does not answer.", "TimeoutError"));
  }, timeoutMs);
  try {
    return await follow(url, request, deadline.signal);
  } catch (error) {
    // Network errors and deadlines. Their messages may quote the URL, and with it a code.
    return { away: error instanceof Error ? error.name : typeof error };
  } finally {
    clearTimeout(timer);
  }
}

async function follow(
  first: string,
  { method = "GET", headers = {}, body }: GitHubRequest,
  signal: AbortSignal,
): Promise<GitHubAnswer | Away> {
  let url = first;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await fetch(url, {
      method,
      headers: { ...headers, "user-agent": USER_AGENT },
      ...(body === undefined ? {} : { body }),
      redirect: "manual",
      signal,
    });
    const next = redirectTarget(response, url);
    if (next === undefined) return await readAnswer(response);
    await response.body?.cancel();
    if (method !== "GET" || next.origin !== new URL(first).origin) return { away: "redirected elsewhere" };
    url = next.href;
  }
  return { away: "redirected too often" };
}

function redirectTarget(response: Response, from: string): URL | undefined {
  const location = response.headers.get("location");
  if (response.status < 300 || response.status > 399 || location === null) return undefined;
  return URL.parse(location, from) ?? new URL("about:blank");
}

async function readAnswer(response: Response): Promise<GitHubAnswer | Away> {
  const { status, headers } = response;
  const chunks: Uint8Array[] = [];
  let length = 0;
  const body: ReadableStream<Uint8Array> | null = response.body;
  for await (const chunk of body ?? []) {
    length += chunk.byteLength;
    // Leaving the loop cancels the rest.
    if (length > MAX_BODY_BYTES) return { away: "answer too large" };
    chunks.push(chunk);
  }
  const text = await new Blob(chunks).text();
  if (status >= 500) return { away: `status ${status}`, ...retryAfter(headers) };
  return { status, headers, text };
}

/** When GitHub wants to be asked again, where it says so. */
export function retryAfter(headers: Headers): Pick<Away, "retryAfterSeconds"> {
  const seconds = Number(headers.get("retry-after") ?? Number.NaN);
  return Number.isSafeInteger(seconds) && seconds > 0 ? { retryAfterSeconds: seconds } : {};
}

/** The JSON of an answer, or undefined where it is none. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // An answer that is no JSON has no shape that anybody expects, either.
    return undefined;
  }
}
