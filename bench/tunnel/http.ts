/** Requests through a path, as one browser makes them. */
import { once } from "node:events";
import * as http from "node:http";
import type { RunningPath } from "./paths/path.ts";

/** Begins a request; its body, and the answer's, are the caller's. */
export function begin(
  path: RunningPath,
  target: string,
  options: { method?: string; agent?: http.Agent; headers?: http.OutgoingHttpHeaders } = {},
): http.ClientRequest {
  const { method = "GET", agent, headers } = options;
  return http.request({
    host: "127.0.0.1",
    port: path.port,
    method,
    path: path.prefix + target,
    headers: { ...path.headers, ...headers },
    agent: agent ?? false,
  });
}

/** The answer, once its head is there; throws where it is not 200. */
export async function answerOf(
  path: RunningPath,
  request: http.ClientRequest,
): Promise<http.IncomingMessage> {
  const [answer] = (await once(request, "response")) as [http.IncomingMessage];
  if (answer.statusCode !== 200) {
    answer.destroy();
    throw new Error(`${path.origin} answers ${answer.statusCode} to ${request.method} ${request.path}`);
  }
  return answer;
}

/** Reads an answer to its end and returns how many bytes it had. */
export async function drain(answer: http.IncomingMessage): Promise<number> {
  let bytes = 0;
  answer.on("data", (chunk: Buffer) => (bytes += chunk.length));
  await once(answer, "end");
  return bytes;
}
