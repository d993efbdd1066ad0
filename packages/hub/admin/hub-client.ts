/** Asks the hub's API, with an administrator's token. */
import * as http from "node:http";
import * as https from "node:https";
import * as v from "valibot";
import { isHere } from "./addresses.ts";
import { ErrorSchema } from "./answers.ts";
import { CommandError, EXIT } from "./exit-codes.ts";
import { HOW_TO_GET_A_TOKEN, type Target } from "./target.ts";

const TIMEOUT_MS = 30_000;
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;

export interface ApiRequest {
  method: "GET" | "POST" | "DELETE";
  path: string;
  body?: unknown;
}

interface Answer {
  status: number;
  text: string;
}

/** The answer's JSON, undefined where it has none; throws a `CommandError` where the hub refuses or is not there. */
export async function askHub(target: Target, request: ApiRequest): Promise<unknown> {
  const answer = await send(target, request).catch((error: unknown) => {
    const why = error instanceof Error ? error.message || error.name : String(error);
    throw new CommandError(EXIT.noHub, `The hub at ${target.origin} does not answer: ${why}`);
  });
  if (answer.status === 204) return undefined;
  const json = parseJson(answer.text);
  if (answer.status >= 200 && answer.status < 300 && json !== undefined) return json;
  const refused = v.safeParse(ErrorSchema, json);
  if (!refused.success)
    throw new CommandError(
      EXIT.noHub,
      `What answers at ${target.origin} is no hub (status ${answer.status}).`,
    );
  const { code, message } = refused.output.error;
  if (answer.status === 401)
    throw new CommandError(
      EXIT.refused,
      `The hub at ${target.origin} does not take this token: it is unknown, revoked or expired. ${HOW_TO_GET_A_TOKEN}`,
    );
  throw new CommandError(EXIT.refused, `${message} (${code})`);
}

function send({ origin, token }: Target, { method, path, body }: ApiRequest): Promise<Answer> {
  const url = new URL(path, origin);
  const text = body === undefined ? undefined : JSON.stringify(body);
  const headers = {
    host: url.host,
    accept: "application/json",
    authorization: `Bearer ${token}`,
    ...(text === undefined
      ? {}
      : { "content-type": "application/json", "content-length": Buffer.byteLength(text) }),
  };
  // Most systems do not resolve *.localhost; it is always this machine.
  const hostname = isHere(url.hostname) && url.hostname.endsWith("localhost") ? "127.0.0.1" : url.hostname;
  const options = { method, headers, hostname, port: url.port, path: `${url.pathname}${url.search}` };
  const { request } = url.protocol === "https:" ? https : http;
  return new Promise((resolve, reject) => {
    const asked = request({ ...options, signal: AbortSignal.timeout(TIMEOUT_MS) }, (response) => {
      read(response).then(resolve, reject);
    });
    asked.once("error", reject);
    asked.end(text);
  });
}

async function read(response: http.IncomingMessage): Promise<Answer> {
  const chunks: Buffer[] = [];
  let length = 0;
  for await (const chunk of response as AsyncIterable<Buffer>) {
    length += chunk.length;
    if (length > MAX_ANSWER_BYTES) throw new Error("its answer is too long");
    chunks.push(chunk);
  }
  return { status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString("utf8") };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Whatever it is, no hub says it.
    return undefined;
  }
}
