import { StreamError } from "@ai-orchestrator/protocol";
import type { ErrorCode } from "../../error-codes.ts";

/** What version 1 of the protocol cannot do, for the person who asked for it: the message is shown to them. */
export class VersionOneError extends StreamError {
  readonly page: Extract<ErrorCode, "version_1_limit" | "version_1_timeout">;

  constructor(page: VersionOneError["page"], message: string) {
    super(page === "version_1_limit" ? "too_large" : "upstream_timeout", message);
    this.page = page;
  }
}
