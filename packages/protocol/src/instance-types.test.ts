import { expectTypeOf, test } from "vitest";
import type { InferOutput } from "valibot";
import type { InstanceMetadataSchema, Register, Log } from "./control.ts";
import type {
  Absence,
  AccessList,
  ClaudeSession,
  InstanceMetadata,
  LogLine,
  Status,
} from "./instance-types.ts";
import type { ClaudeSessionSchema } from "./status.ts";

test("types that are written out are what the schemas let through", () => {
  expectTypeOf<InferOutput<typeof ClaudeSessionSchema>>().toEqualTypeOf<ClaudeSession>();
  expectTypeOf<InferOutput<typeof InstanceMetadataSchema>>().toEqualTypeOf<InstanceMetadata>();
  expectTypeOf<Register["status"]>().toEqualTypeOf<Status>();
  expectTypeOf<Exclude<Register["absence"], undefined>>().toEqualTypeOf<Absence>();
  expectTypeOf<Exclude<Register["access"], undefined>>().toEqualTypeOf<AccessList>();
  expectTypeOf<Log["lines"]>().toEqualTypeOf<LogLine[]>();
});
