/** Calls to claudecodeui's HTTP API on this machine: JSON both ways, bounded in time, never redirected, to this user's own port only. */
import * as http from "node:http";
import { text } from "node:stream/consumers";
import { OtherUserError, ownAgent } from "../own-connection.ts";

const TIMEOUT_MS = 5_000;

export interface ApiAnswer {
  status: number;
  /** The parsed JSON, or undefined where the body was none. */
  body: unknown;
}

export interface ApiOptions {
  token?: string | undefined;
  json?: unknown;
  signal?: AbortSignal;
}

/** One call. `target` is an origin. Throws when nothing answers in time, and `OtherUserError` where the port is another user's. */
export async function callApi(target: string, path: string, options: ApiOptions = {}): Promise<ApiAnswer> {
  const timeout = AbortSignal.timeout(TIMEOUT_MS);
  const signal = options.signal ? AbortSignal.any([timeout, options.signal]) : timeout;
  try {
    const answer = await send(new URL(path, target), options, signal);
    return { status: answer.statusCode ?? 0, body: parse(await text(answer)) };
  } catch (error) {
    if (error instanceof OtherUserError) throw error;
    throw new Error(`${target} does not answer`, { cause: error });
  }
}

/** Each call has a connection of its own, so each is checked; there are few. */
function send(url: URL, { token, json }: ApiOptions, signal: AbortSignal): Promise<http.IncomingMessage> {
  const body = json === undefined ? undefined : JSON.stringify(json);
  return new Promise((resolve, reject) => {
    const request = http.request(url, {
      method: body === undefined ? "GET" : "POST",
      headers: {
        accept: "application/json",
        ...(token === undefined ? {} : { authorization: `Bearer ${token}` }),
        ...(body === undefined ? {} : { "content-type": "application/json" }),
      },
      agent: ownAgent,
      signal,
    });
    request.once("response", resolve);
    request.once("error", reject);
    request.end(body);
  });
}

function parse(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
