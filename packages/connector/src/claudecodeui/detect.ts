/** Recognises claudecodeui by how it answers `GET /health`. */
import * as v from "valibot";
import { callApi } from "./api.ts";

const HealthSchema = v.object({
  status: v.literal("ok"),
  installMode: v.string(),
  version: v.nullish(v.pipe(v.string(), v.maxLength(64))),
});

/** The version of the claudecodeui that answers at `target` (an origin), or undefined where something else or nothing does. */
export async function detectClaudecodeui(
  target: string,
  signal?: AbortSignal,
): Promise<{ version: string } | undefined> {
  try {
    const answer = await callApi(target, "/health", signal ? { signal } : {});
    const health = v.safeParse(HealthSchema, answer.body);
    return answer.status === 200 && health.success
      ? { version: health.output.version ?? "unknown" }
      : undefined;
  } catch {
    return undefined;
  }
}
