export * from "./control.ts";
export * from "./errors.ts";
export * from "./limits.ts";
export * from "./status.ts";
