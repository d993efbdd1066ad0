/** Compressed answers where no edge is before the hub: Cloudflare compresses by itself, a local runner does not. */
import type { Env } from "./env.ts";

const COMPRESSIBLE = /^(text\/|application\/(json|manifest\+json|javascript)|image\/svg)/;

/** The answer, to be sent as gzip where the browser takes it and it is worth it: the platform makes it so on its way out. */
export function compressed(request: Request, answer: Response, env: Env): Response {
  const isText = COMPRESSIBLE.test(answer.headers.get("content-type") ?? "");
  if (env.COMPRESS_ANSWERS !== "enabled" || answer.body === null || !isText) return answer;
  const copy = new Response(answer.body, answer);
  copy.headers.append("vary", "accept-encoding");
  if (!takesGzip(request.headers.get("accept-encoding") ?? "")) return copy;
  copy.headers.delete("content-length");
  copy.headers.set("content-encoding", "gzip");
  return copy;
}

function takesGzip(accepted: string): boolean {
  return /(^|[\s,])gzip\s*($|,|;(?!\s*q=0(\.0*)?\s*($|,)))/i.test(accepted);
}
